"""What is cut before it is joined is what the tokenizer would have kept."""

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from equipoise.data import tokenize
from equipoise.data.beginnings import Beginnings, reads_word_by_word
from equipoise.data.text_encoder import encode_by_tokenizer
from made_tokenizers import LLAMA3, byte_level, pieces


@pytest.fixture(scope="module")
def tokenizers(tiny_model, tiny_llm):
    return {
        "word pieces": AutoTokenizer.from_pretrained(tiny_model),
        "no special tokens": AutoTokenizer.from_pretrained(tiny_llm),
        "byte level": byte_level(),
        "llama 3": byte_level(LLAMA3),
        "pieces": pieces(),
        "pieces without words": pieces(split=False),
        "cut from the left": AutoTokenizer.from_pretrained(tiny_model, truncation_side="left"),
    }


NAMES = (
    "word pieces",
    "no special tokens",
    "byte level",
    "llama 3",
    "pieces",
    "pieces without words",
    "cut from the left",
)
WORDS = st.sampled_from(
    ["good", "bad", "naïve", "film,", "l'été", "7/10", "Ünï", "良い映画", "`` x", "a", "<s>", "\n", ":-)"]
)


def sentences(most):
    return st.lists(WORDS, max_size=most).map(" ".join)


def encode(tokenizer, text, pair, length):
    rows, cut = tokenize(datasets.Dataset.from_dict({"text": [text], "pair": [pair]}), tokenizer, length)
    return {name: rows[0][name] for name in ("input_ids", "token_type_ids") if name in rows.column_names}, cut


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(text=sentences(30), pair=st.none() | sentences(30), length=st.integers(8, 60))
def test_text_and_pair_are_cut_as_the_tokenizer_cuts_them_together(tokenizers, name, text, pair, length):
    found, cut = encode(tokenizers[name], text, pair, length)
    (((expected,), was_cut),) = encode_by_tokenizer(tokenizers[name], [text], None if pair is None else [pair], length)
    assert (found, cut) == (expected, was_cut)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(words=st.lists(WORDS, min_size=1, max_size=12), times=st.integers(500, 1500), most=st.integers(1, 300))
def test_a_long_text_begins_as_it_does_whole(tokenizers, name, words, times, most):
    text = " ".join(words * times)
    whole = tokenizers[name](text, add_special_tokens=False, verbose=False)["input_ids"]
    assert Beginnings(tokenizers[name], most).encode(["a", text, ""])[1] == whole[:most]


@pytest.mark.parametrize("name", NAMES)
def test_long_texts_are_cut_before_they_are_tokenised_where_that_is_the_same(tokenizers, name, monkeypatch):
    tokenizer = tokenizers[name]
    read = []
    call = type(tokenizer).__call__
    monkeypatch.setattr(
        type(tokenizer), "__call__", lambda self, texts, *a, **k: read.extend(texts) or call(self, texts, *a, **k)
    )
    Beginnings(tokenizer, 20).encode(["a good film " * 10_000])
    by_word = name in ("word pieces", "byte level", "llama 3", "pieces", "cut from the left")
    assert reads_word_by_word(tokenizer) == by_word
    assert (sum(map(len, read)) < 10_000) == by_word


@pytest.mark.parametrize("added", ["a b", "good ", " good"], ids=["blank inside", "blank behind", "blank before"])
def test_tokens_that_cross_a_blank_keep_texts_whole(tokenizers, added):
    tokenizer = byte_level()
    assert reads_word_by_word(tokenizer)
    tokenizer.add_tokens([added])
    assert not reads_word_by_word(tokenizer)


def test_texts_are_tokenised_some_at_a_time(tokenizers, monkeypatch):
    tokenizer = tokenizers["word pieces"]
    sizes = []
    call = type(tokenizer).__call__
    monkeypatch.setattr(
        type(tokenizer), "__call__", lambda self, texts, *a, **k: sizes.append(len(texts)) or call(self, texts, *a, **k)
    )
    texts = ["good film " * 10_000] * 7 + ["bad"] * 2500
    found = Beginnings(tokenizer, None).encode(texts)
    assert max(sizes) == 1000
    assert sizes[:2] == [3, 3]
    assert [len(ids) for ids in found] == [20_000] * 7 + [1] * 2500
