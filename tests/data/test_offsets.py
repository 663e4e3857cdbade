"""Where tokens stand in the text, and that asking for it changes nothing else."""

import unicodedata

import datasets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, ByT5Tokenizer

from equipoise.data import ChatStyle, PromptEncoder, tokenize
from equipoise.errors import ModelError
from equipoise.kinds import Classification
from equipoise.modeling.bilstm import make_tokenizer
from equipoise.modeling.row_encoding import RowEncoder
from made_tokenizers import byte_level, pieces

REAL = ("minilm", "smollm2", "bilstm")
TINY = ("word pieces", "no special tokens", "byte level", "pieces", "cut from the left")
PIECES = [
    "good ",
    " naïve",
    "cafe\u0301 ",
    "\u3000",
    "👩‍🚀",
    "ﬁlm",
    "\n\n",
    "½",
    "<end>",
    "[SEP]",
    "7/10",
    "映画",
    "\u0307",
    "\u200b",
]
# All characters that one can see; SmolLM2 has no tokens for some bytes of others.
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=["C"]), max_size=6), max_size=12
).map("".join)


class Marking(Classification):
    """A task whose head reads tokens."""

    reads_tokens = True


@pytest.fixture(scope="module")
def tokenizers(minilm, smollm2, tiny_model, tiny_llm):
    return {
        "minilm": AutoTokenizer.from_pretrained(minilm),
        "smollm2": AutoTokenizer.from_pretrained(smollm2),
        "bilstm": make_tokenizer(["a good film , naïve café 7 / 10 映画"] * 2),
        "word pieces": AutoTokenizer.from_pretrained(tiny_model),
        "no special tokens": AutoTokenizer.from_pretrained(tiny_llm),
        "byte level": byte_level(),
        "pieces": pieces(),
        "cut from the left": AutoTokenizer.from_pretrained(tiny_model, truncation_side="left"),
    }


def encode(tokenizer, texts, pairs=None, length=40, **options):
    table = datasets.Dataset.from_dict({"text": texts, "pair": pairs or [None] * len(texts)})
    return tokenize(table, tokenizer, length, **options)


def spans(row):
    return list(zip(row["offsets"][::2], row["offsets"][1::2], strict=True))


@pytest.mark.parametrize("name", REAL + TINY)
@settings(max_examples=4)
@given(rows=st.lists(st.tuples(TEXTS, st.none() | TEXTS), min_size=10, max_size=20), length=st.integers(8, 60))
def test_offsets_leave_the_tokens_as_they_are(tokenizers, name, rows, length):
    texts, pairs = zip(*rows, strict=True)
    with_them, cut = encode(tokenizers[name], texts, pairs, length, offsets=True)
    without, also_cut = encode(tokenizers[name], texts, pairs, length)
    assert cut == also_cut
    assert with_them.remove_columns(["text_start", "offsets"]).to_list() == without.to_list()


@pytest.mark.parametrize("name", REAL + TINY)
@settings(max_examples=10)
@given(texts=st.lists(TEXTS, min_size=10, max_size=20))
def test_offsets_cover_the_text(tokenizers, name, texts):
    rows, _ = encode(tokenizers[name], texts, length=2000, offsets=True)
    for text, row in zip(texts, rows, strict=True):
        found = spans(row)
        starts = [start for start, _ in found]
        assert starts == sorted(starts)
        assert all(0 <= start <= end <= len(text) for start, end in found)
        assert not any(text[start:end] != text[start:end].strip() for start, end in found)
        covered = {place for start, end in found for place in range(start, end)}
        for character in {text[place] for place in range(len(text)) if place not in covered}:
            # Alone it is no token either, or nothing but a mark on a letter (which is composed with it).
            alone = tokenizers[name](character, add_special_tokens=False)["input_ids"]
            assert character.isspace() or not alone or unicodedata.category(character) == "Mn", (text, found)


@pytest.mark.parametrize("name", REAL)
def test_words_are_where_they_stand(tokenizers, name):
    text = "  A good café,  cafe\u0301 film"
    row = encode(tokenizers[name], [text], ["the pair"], offsets=True)[0][0]
    words = [text[start:end] for start, end in dict.fromkeys(spans(row)) if start < end]
    assert "".join(words) == "".join(text.split())
    assert {"good", "film"} <= set(words)
    start = row["text_start"]
    own = row["input_ids"][start : start + len(row["offsets"]) // 2]
    assert own == tokenizers[name](text, add_special_tokens=False)["input_ids"]


def test_pieces_of_a_character_share_its_span(tokenizers):
    row = encode(tokenizers["smollm2"], ["ok 🚀!"], offsets=True)[0][0]
    assert spans(row) == [(0, 2), (3, 4), (3, 4), (3, 4), (4, 5)]


def test_cut_texts_have_offsets_for_what_is_there(tokenizers):
    text, pair = "good bad film " * 10, "the plot"
    row = encode(tokenizers["word pieces"], [text], [pair], 10, offsets=True)[0][0]
    assert (row["text_start"], spans(row)) == (1, [(0, 4), (5, 8), (9, 13), (14, 18), (19, 22)])
    row = encode(tokenizers["cut from the left"], [text.strip()], [pair], 10, offsets=True)[0][0]
    assert (row["text_start"], spans(row)[-1], len(spans(row))) == (1, (135, 139), 5)


@pytest.mark.parametrize("name", ["word pieces", "byte level"])
def test_a_tokenizer_whose_frame_is_unknown_gives_the_same(tokenizers, name, monkeypatch):
    arguments = (tokenizers[name], ["good film " * 20, "", "naïve 👩‍🚀"], ["a plot", "b", "c"], 16)
    expected = encode(*arguments, offsets=True)[0].to_list()
    monkeypatch.setattr("equipoise.data.text_encoder._find_frame", lambda *_: None)
    found = encode(*arguments, offsets=True)[0].to_list()
    for row, same in zip(found, expected, strict=True):
        assert row | {"text_start": 0} == same | {"text_start": 0}
        assert row["text_start"] == same["text_start"] or not row["offsets"]


def test_a_tokenizer_that_knows_no_offsets_is_refused():
    with pytest.raises(ModelError, match=r"ByT5Tokenizer\) does not tell where .* fast tokenizer"):
        encode(ByT5Tokenizer(), ["good"], offsets=True)
    assert encode(ByT5Tokenizer(), ["good"])[0]["length"][:] == [5]


def test_rows_have_offsets_where_a_head_reads_tokens(tokenizers):
    table = datasets.Dataset.from_dict({"text": ["a good film"], "pair": [None]})
    common = ("s", "text", None, "label", "macro_f1", ("bad", "good"))
    for task, expected in ((Classification("a", *common), False), (Marking("a", *common), True)):
        encoder = RowEncoder(tokenizers["word pieces"], {"a": task}, 16, ChatStyle(), None)
        assert ("offsets" in encoder.encode(table, {}, False, 0)[0].column_names) == expected


def test_prompted_rows_have_offsets_of_the_text_before_any_question(tokenizers):
    common = ("s", "text", "pair", "label", "macro_f1", ("bad", "good"))
    tasks = {"asked": Classification("asked", *common, format="prompt"), "marked": Marking("marked", *common)}
    tokenizer = tokenizers["no special tokens"]
    text, pair = "a good film ünd plot", "the film"
    table = datasets.Dataset.from_dict({"text": [text] * 2, "pair": [pair] * 2})
    encoder = PromptEncoder(tokenizer, tasks, 200)
    rows, _ = encoder.encode(table, {"asked": np.arange(2), "marked": np.arange(1)}, learning=False)
    row, other = rows
    own = row["input_ids"][row["text_start"] :][: len(row["offsets"]) // 2]
    assert own == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert row["position_ids"][: row["text_length"]] == list(range(row["text_length"]))
    assert [text[start:end] for start, end in spans(row)][1:3] == ["good", "film"]
    assert other["offsets"] == []
    alone = PromptEncoder(tokenizer, {"asked": tasks["asked"]}, 200)
    assert "offsets" not in alone.encode(table, {"asked": np.arange(2)}, learning=False)[0].column_names
