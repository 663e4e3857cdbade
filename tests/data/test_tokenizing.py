import datasets
import pytest
from transformers import AutoTokenizer

from equipoise.data import tokenize


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def table(texts, pairs):
    return datasets.Dataset.from_dict({"text": texts, "pair": pairs, "label:t": list(range(len(texts)))})


def test_rows_with_and_without_a_pair_keep_their_order(tokenizer):
    texts, pairs = ["good film", "bad", "nice plot"], [None, "the actor", None]
    rows, cut = tokenize(table(texts, pairs), tokenizer, 16)
    for row, text, pair in zip(rows, texts, pairs, strict=True):
        expected = tokenizer(text, pair)
        assert (row["text"], row["pair"]) == (text, pair)
        assert row["input_ids"] == expected["input_ids"]
        assert row["token_type_ids"] == expected["token_type_ids"]
        assert row["length"] == len(row["input_ids"])
    assert rows["index"][:] == rows["label:t"][:] == [0, 1, 2]
    assert cut == 0


def test_the_text_is_cut_and_the_pair_is_kept(tokenizer):
    rows, cut = tokenize(table(["good " * 30, "good"], ["bad film plot"] * 2), tokenizer, 10)
    assert tokenizer.decode(rows[0]["input_ids"]) == "[CLS] good good good good [SEP] bad film plot [SEP]"
    assert tokenizer.decode(rows[1]["input_ids"]) == "[CLS] good [SEP] bad film plot [SEP]"
    assert cut == 1


@pytest.mark.parametrize("pair_words", [5, 6, 7, 8, 30])
def test_a_pair_that_does_not_fit_is_cut_too(tokenizer, pair_words):
    rows, cut = tokenize(table(["good " * 30], ["bad " * pair_words]), tokenizer, 10)
    ids = rows[0]["input_ids"]
    kept = [ids.count(tokenizer.convert_tokens_to_ids(word)) for word in ("good", "bad")]
    assert (rows[0]["length"], cut) == (10, 1)
    assert kept == ([7 - pair_words, pair_words] if pair_words < 7 else [4, 3] if kept[0] == 4 else [3, 4])


def test_a_single_text_is_cut(tokenizer):
    rows, cut = tokenize(table(["good " * 8, "good " * 9, "good " * 300], [None] * 3), tokenizer, 10)
    assert rows["length"][:] == [10, 10, 10]
    assert cut == 2
    assert all(ids[-1] == tokenizer.sep_token_id for ids in rows["input_ids"])


def test_more_rows_than_a_batch(tokenizer):
    texts = [("good " * (i % 7 + 1)).strip() for i in range(2500)]
    rows, _ = tokenize(table(texts, [None] * 2500), tokenizer, 16)
    assert rows["length"][:] == [i % 7 + 3 for i in range(2500)]


def test_a_tokenizer_with_its_own_padding_and_truncation(tokenizer):
    """Saved tokenizers may carry both settings; neither may leak into the rows."""
    tokenizer("good bad film", truncation=True, max_length=4, padding="max_length")
    rows, _ = tokenize(table(["good", "good bad film plot"], [None, None]), tokenizer, 16)
    assert rows["length"][:] == [3, 6]


def test_no_rows(tokenizer):
    rows, cut = tokenize(table([], []), tokenizer, 16)
    assert (len(rows), cut) == (0, 0)
