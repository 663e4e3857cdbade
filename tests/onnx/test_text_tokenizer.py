"""Tokens without transformers are those with it."""

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from equipoise.data import tokenize
from equipoise.errors import EquipoiseError
from equipoise.modeling import load_backbone
from equipoise.onnx import RowReader, TextTokenizer, TokenizerFacts
from made_tokenizers import byte_level, pieces

AWKWARD = (
    *(
        "",
        " ",
        "good",
        " good  good",
        "Zoë’s café",
        "e\u0301 n\u0303",
        "😀👍🏽",
        "太贵了。",
        "a\u00a0b\u200bc",
        "\t\n\r",
    ),
    *("[SEP] </s> <s>", "İI ß ﬁ", "\u202eabc", "x" * 60, "...,!?", "٣ १ 12.5%", "\x00\x07", "``so''"),
)
TOKENS = ("input_ids", "token_type_ids", "text_start", "offsets")
texts = st.lists(st.sampled_from(AWKWARD) | st.text(max_size=30), min_size=1, max_size=4).map("".join)


def describe(tokenizer):
    return TokenizerFacts(
        type_ids="token_type_ids" in tokenizer.model_input_names,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        pad_id=tokenizer.pad_token_id,
        pad_type_id=tokenizer.pad_token_type_id,
    )


def without_transformers(tokenizer):
    return TextTokenizer(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), describe(tokenizer))


@pytest.fixture(scope="module")
def tokenizers(tiny_model, tiny_llm):
    made = [load_backbone(str(folder))[1] for folder in (tiny_model, tiny_llm)]
    made += [byte_level(), pieces(), pieces()]
    made[-1].truncation_side = "left"
    return made


def rows_of(tokenizer, rows, length, windows, offsets):
    dataset = Dataset.from_dict({"text": [text for text, _ in rows], "pair": [pair for _, pair in rows]})
    encoded, _ = tokenize(dataset, tokenizer, length, offsets=offsets, windows=windows)
    return [
        {name: row[name] for name in TOKENS if name in row}
        for row in sorted(encoded.to_list(), key=lambda row: row["index"])
    ]


def both(tokenizer, rows, length, windows, offsets):
    """The rows of transformers and ours; or the messages where there are none."""
    reader = RowReader(without_transformers(tokenizer), describe(tokenizer), length, windows=windows, offsets=offsets)
    found = []
    for read in (
        lambda: rows_of(tokenizer, rows, length, windows, offsets),
        lambda: [row.tokens for row in reader.encode([text for text, _ in rows], [pair for _, pair in rows])[0]],
    ):
        try:
            found.append(read())
        except EquipoiseError as error:
            found.append(str(error).replace("TextTokenizer", type(tokenizer).__name__))
    return found


@given(
    rows=st.lists(st.tuples(texts, st.none() | texts), min_size=1, max_size=4),
    length=st.integers(6, 40),
    number=st.integers(0, 4),
    windows=st.booleans(),
    offsets=st.booleans(),
)
@settings(max_examples=40)
def test_rows_are_the_same_as_with_transformers(tokenizers, rows, length, number, windows, offsets):
    expected, found = both(tokenizers[number], rows, length, windows, offsets)
    assert found == expected


@given(
    rows=st.lists(st.tuples(texts, st.none() | texts), min_size=1, max_size=3),
    length=st.integers(8, 20),
    number=st.integers(0, 4),
)
@settings(max_examples=20)
def test_also_where_only_the_tokenizer_knows_how_texts_are_joined(tokenizers, rows, length, number):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("equipoise.data.text_encoder._find_frame", lambda *_: None)
        expected, found = both(tokenizers[number], rows, length, False, True)
    assert found == expected


def test_a_difference_would_be_seen(tokenizers):
    """The comparison can fail: another side to cut from gives other rows."""
    expected, found = both(tokenizers[3], [("good bad " * 20, None)], 8, False, False)
    other, _ = both(tokenizers[4], [("good bad " * 20, None)], 8, False, False)
    assert expected == found != other


def test_rows_are_padded_as_by_transformers(tokenizers):
    for tokenizer in tokenizers:
        facts = describe(tokenizer)
        reader = RowReader(without_transformers(tokenizer), facts, 30, windows=False, offsets=False)
        rows, _ = reader.encode(["good", "good good ba ba", "x"], [None, None, None])
        features = {name: [row.tokens[name] for row in rows] for name in rows[0].tokens}
        expected = tokenizer.pad(features, padding="longest", return_attention_mask=True)
        found = reader.pad(rows)
        assert {name: array.tolist() for name, array in found.items()} == dict(expected)
