import datasets
import pytest
import torch
from transformers import AutoTokenizer

from equipoise.data import Collator, pad_rows, tokenize
from equipoise.kinds import Classification, Extraction, Regression

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson"),
    "label": Classification("label", "s", "text", None, "label", "macro_f1", ("a", "b")),
}


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def rows(tokenizer):
    columns = {
        "text": ["good film", "bad", "the best plot", "so so"],
        "pair": [None, "actor", None, None],
        "label:score": [0.5, None, -0.25, None],
        "label:label": [None, 1, 0, None],
    }
    return tokenize(datasets.Dataset.from_dict(columns), tokenizer, 16)[0]


def test_a_batch(tokenizer, rows):
    batch = Collator(tokenizer, TASKS)([rows[i] for i in (2, 0, 1)])
    inputs = batch["inputs"]
    assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids"}
    assert {tuple(tensor.shape) for tensor in inputs.values()} == {(3, 5)}
    assert inputs["attention_mask"].sum(dim=1).tolist() == [5, 4, 5]
    assert inputs["input_ids"][1].tolist() == [*rows[0]["input_ids"], tokenizer.pad_token_id]
    assert batch["index"].tolist() == [2, 0, 1]
    assert {task: index.tolist() for task, index in batch["rows"].items()} == {"score": [0, 1], "label": [0, 2]}
    torch.testing.assert_close(batch["targets"]["score"], torch.tensor([-0.25, 0.5]))
    torch.testing.assert_close(batch["targets"]["label"], torch.tensor([0, 1]))


def test_absent_tasks_are_empty(tokenizer, rows):
    batch = Collator(tokenizer, TASKS)([rows[3]])
    for task, dtype in (("score", torch.float32), ("label", torch.int64)):
        assert batch["rows"][task].shape == batch["targets"][task].shape == (0,)
        assert (batch["rows"][task].dtype, batch["targets"][task].dtype) == (torch.int64, dtype)


def test_rows_without_label_columns_are_collated_too(tokenizer, rows):
    batch = Collator(tokenizer, TASKS)([rows.select_columns(["index", "input_ids", "token_type_ids"])[0]])
    assert batch["rows"]["score"].numel() == 0


def test_the_side_of_the_padding_is_the_tokenizers(tiny_model, rows):
    left = AutoTokenizer.from_pretrained(tiny_model, padding_side="left")
    batch = Collator(left, TASKS)([rows[0], rows[2]])
    assert batch["inputs"]["attention_mask"][0].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_head_reads_the_tokens_of_the_text_whichever_side_is_padded(tiny_model, side):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side=side)
    task = Extraction("terms", "s", "text", None, "terms", "extraction_f1", ("x",))
    label = '[{"term":"film","start":2,"end":6,"polarity":"x"}]'
    table = datasets.Dataset.from_dict(
        {"text": ["a film", "so good was the price of it"], "pair": [None, "film"], "label:terms": [label, "[]"]}
    )
    rows, _ = tokenize(table, tokenizer, 16, offsets=True)
    batch = Collator(tokenizer, {"terms": task})(rows.to_list())
    read = batch["inputs"]["input_ids"].flatten()[batch["scored"]["terms"]["positions"]]
    parts = [tokenizer.decode(ids) for ids in read.split(batch["scored"]["terms"]["counts"].tolist())]
    assert parts == ["a film", "so good was the price of it"]
    assert batch["targets"]["terms"].tolist() == [0, 1, *[0] * (len(read) - 2)]
    assert batch["rows"]["terms"].tolist() == [0, 0, *[1] * (len(read) - 2)]


def test_a_tokenizer_without_token_types(tiny_model, rows):
    plain = AutoTokenizer.from_pretrained(tiny_model, model_input_names=["input_ids", "attention_mask"])
    tokenized, _ = tokenize(rows.select_columns(["text", "pair"]), plain, 16)
    assert "token_type_ids" not in tokenized.column_names
    assert set(Collator(plain, {})([tokenized[0]])["inputs"]) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("token_type", [0, 3])
def test_rows_are_padded_as_their_tokenizer_pads_them(tiny_model, rows, side, token_type):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side=side, pad_token_type_id=token_type)
    items = rows.to_list()
    names = ("input_ids", "token_type_ids")
    expected = tokenizer.pad({name: [item[name] for item in items] for name in names}, return_tensors="pt")
    found = pad_rows(items, tokenizer)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
