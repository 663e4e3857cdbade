"""Tokens become words that stand where they say they stand."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data import tokenize
from equipoise.modeling.words import merge_to_words
from made_tokenizers import byte_level, pieces

SIGNS = ["good", "ba", "x", " ", "  ", "\n", "'", "’", ".", ",", "-", "3", "é", "e\u0301", "n\u0303", "ß", "İ", "ﬁ"]
SIGNS += ["😀", "👩\u200d💻", "👍🏽", "🇩🇪", "☀\ufe0f", "好", "吃", "ก\u0e33", "क\u093f", "\u200b", "\u00a0", "[MASK]"]
TEXTS = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=20).map("".join).filter(str.strip)


def spans(text, tokenizer):
    from datasets import Dataset

    rows, _ = tokenize(Dataset.from_dict({"text": [text], "pair": [None]}), tokenizer, 512, offsets=True)
    offsets = rows[0]["offsets"]
    weights = {}
    for number, span in enumerate(zip(offsets[::2], offsets[1::2], strict=True)):
        weights[span] = weights.get(span, 0.0) + 1.0 + number
    return weights


@pytest.fixture(scope="module")
def tokenizers(tiny_model):
    from transformers import AutoTokenizer

    return [AutoTokenizer.from_pretrained(tiny_model), byte_level(), pieces()]


@given(text=TEXTS)
@settings(max_examples=40)
def test_words_stand_where_they_say_and_their_weights_add_up(tokenizers, text):
    for tokenizer in tokenizers:
        tokens = spans(text, tokenizer)
        words = merge_to_words(text, tokens)
        assert [text[word.start : word.end] for word in words] == [word.word for word in words]
        assert all(one.end <= other.start for one, other in pairwise(words))
        assert all(word.word.strip() for word in words)
        if words:
            assert sum(word.weight for word in words) == pytest.approx(sum(tokens.values()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't BAD.", ["It", "isn't", "BAD", "."]),
        ("'quoted' rock'n'roll", ["'", "quoted", "'", "rock'n'roll"]),
        ("cafe\u0301s, naïve", ["cafe\u0301s", ",", "naïve"]),
        ("so👍🏽", ["so", "👍🏽"]),
        ("ok 👩\u200d💻!", ["ok", "👩\u200d💻", "!"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("好吃 film", ["好", "吃", "film"]),
        ("\x1e", ["\x1e"]),
    ],
)
def test_what_a_word_is(text, expected):
    by_sign = {(place, place + 1): 1.0 for place, sign in enumerate(text) if not sign.isspace() or sign == "\x1e"}
    words = merge_to_words(text, by_sign)
    assert [word.word for word in words] == expected
    assert [word.weight for word in words] == [float(len(word)) for word in expected]


def test_a_blank_counts_with_the_next_word():
    found = merge_to_words("a b ", {(0, 1): 1.0, (1, 1): 10.0, (2, 3): 2.0, (4, 4): 100.0})
    assert [word.weight for word in found] == [1.0, 112.0]
