"""Multilabel and generation tasks from files to batches."""

import datasets
import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from data_cases import SCORE
from equipoise.data import Collator, read_rows, tokenize
from equipoise.data.sources import read_source
from equipoise.errors import DataError, UsageError
from equipoise.kinds import Multilabel
from equipoise.workspace import describe_table

EMOTIONS = {"source": "s", "kind": "multilabel", "label": "emotions"}
TITLE = {"source": "s", "kind": "generation", "label": "title"}


def row(text, emotions, title=None, **more):
    return {"text": text, "emotions": emotions, "title": title, "score": 0.1 * len(text), **more}


TRAIN = [row("a", ["joy"], "A"), row("bb", [], "B"), row("ccc", None, "C"), row("dddd", ["joy", "fear"])]
DEV, TEST = [row("dev", [])], [row("test", ["fear"], "T")]


def message(load, source, **tasks):
    with pytest.raises(DataError) as caught:
        load({"s": source}, tasks)
    return str(caught.value)


def test_lists_of_labels(load, three):
    table = load({"s": three(train=TRAIN, dev=DEV, test=TEST)}, {"emotions": EMOTIONS, "score": SCORE})
    assert table.tasks["emotions"].classes == ("fear", "joy")
    assert table.tasks["emotions"].thresholds == (0.5, 0.5)
    assert table.splits["train"]["label:emotions"][:] == [[0, 1], [0, 0], None, [1, 1]]
    labels = table.labels("emotions", "train")
    assert labels.dtype == np.int8
    assert labels.tolist() == [[0, 1], [0, 0], [1, 1]]
    assert table.rows("emotions", "train").tolist() == [0, 1, 3]
    # An empty list is a label.
    assert table.labels("emotions", "dev").tolist() == [[0, 0]]
    assert describe_table(table)["classes"] == {
        "emotions": {"train": {"fear": 1, "joy": 2}, "dev": {"fear": 0, "joy": 0}, "test": {"fear": 1, "joy": 0}}
    }


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_labels_as_text_and_as_columns(load, write, tmp_path, ending):
    header, cells = (
        "text,both,joy,fear",
        {"a": ('"joy,fear"', "1,1"), "b": ('","', "0,false"), "c": ("", ","), "d": ("joy", "true,0")},
    )
    for split, texts in (("train", "abcd"), ("dev", "b"), ("test", "d")):
        lines = [f"{split} {text},{cells[text][0]},{cells[text][1]}" for text in texts]
        path = write(f"{split}.csv", "\n".join([header, *lines]) + "\n")
        if ending == "parquet":
            rows = read_rows(path)
            rows.columns["both"] = [
                None if cell is None else [part for part in cell.split(",") if part] for cell in rows.columns["both"]
            ]
            datasets.Dataset.from_dict(rows.columns).to_parquet(tmp_path / f"{split}.parquet")
    source = {split: f"{split}.{ending}" for split in ("train", "dev", "test")}
    columns = {**EMOTIONS, "label": ["joy", "fear"]}
    table = load({"s": source}, {"both": {**EMOTIONS, "label": "both"}, "columns": columns})
    assert table.labels("both", "train").tolist() == [[1, 1], [0, 0], [0, 1]]
    assert table.tasks["columns"].classes == ("joy", "fear")
    assert table.labels("columns", "train").tolist() == [[1, 1], [0, 0], [1, 0]]
    # The row without any label is left out.
    assert table.splits["train"]["text"][:] == ["train a", "train b", "train d"]


def test_labels_of_repeated_texts(load, three):
    train = [
        *(row("x", ["joy", "fear"], "first"), row("x", ["joy"], "second"), row("x", ["fun", "joy"])),
        *(row("y", ["fear"], "same"), row("y", [], "same"), row("z", ["fun"]), row("v", ["fear"])),
    ]
    table = load({"s": three(train=train, dev=DEV, test=TEST)}, {"emotions": EMOTIONS})
    # x: only joy has more than one half; y: half is not more than half.
    assert table.tasks["emotions"].classes == ("fear", "fun", "joy")
    assert table.labels("emotions", "train").tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert "labels of 'emotions' differed: 2 (majority of each label taken)." in table.notes[1]
    titles = load({"s": three(train=train, dev=[row("dev", [], "D")], test=TEST)}, {"title": TITLE})
    assert titles.labels("title", "train").tolist() == ["first", "same"]
    assert "labels of 'title' differed: 1 (first kept)." in titles.notes[2]


def test_titles(load, three):
    table = load({"s": three(train=TRAIN, dev=[row("dev", [], " D \n")], test=TEST)}, {"title": TITLE})
    found = table.labels("title", "train")
    assert found.dtype == object
    assert found.tolist() == ["A", "B", "C"]
    assert table.labels("title", "dev").tolist() == ["D"]
    assert describe_table(table)["classes"] == {}


@pytest.mark.parametrize("cell", ["", "  ", ["T"], {"a": 1}])
def test_an_empty_title_is_named_with_its_place_and_the_way_out(load, three, cell):
    text = message(load, three(train=TRAIN, dev=[row("dev", [], cell)], test=TEST), t=TITLE)
    assert f"dev.jsonl, line 1, column 'title' (task 't'): found {cell!r}, expected " in text
    way_out = "Correct the cells; an empty label cell (null in JSON) means that the row has no label."
    assert ("such as label: title.a." if isinstance(cell, dict) else way_out) in text


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("", "found '', expected a list of labels ([] where none applies)"),
        ({"joy": 1}, "found {'joy': 1}, expected a list of labels"),
        (["joy", ""], "found an empty label, expected a class"),
        ("joy,,fear", "found 'joy,,fear', expected a label on both sides"),
        (["fun"], "found label 'fun', which train does not have, expected some of 'fear', 'joy'"),
    ],
)
def test_bad_lists_of_labels(load, three, cell, found):
    text = message(load, three(train=TRAIN, dev=[row("dev", cell)], test=TEST), t=EMOTIONS)
    assert "dev.jsonl, line 1, column 'emotions' (task 't'): " + found in text


def test_bad_columns_of_labels(load, write):
    task = EMOTIONS | {"label": ["joy", "fear"]}
    write("a.csv", "text,joy,fear\none,1,0\ntwo,1,\nthree,0,2\n")
    text = message(load, {"path": "a.csv"}, t=task)
    assert "a.csv, line 3, column 'joy, fear' (task 't'): found an empty cell in column 'fear', expected 0 or 1" in text
    assert "a.csv, line 4, column 'joy, fear' (task 't'): found '2' in column 'fear', expected 0 or 1" in text
    write("a.csv", "text,joy\none,1\n")
    assert "a.csv: found no column 'fear' (task 't')" in message(load, {"path": "a.csv"}, t=task)


def test_a_label_that_is_always_or_never_there(load, three):
    always = [row("a", ["joy"]), row("b", ["joy", "fear"])]
    text = message(load, three(train=always, dev=DEV, test=TEST), t=EMOTIONS)
    assert "column 'emotions' (task 't', 2 training labels): label 'joy' applies to every training row" in text


def test_a_model_is_scored_on_other_columns(load, three):
    fitted = load({"s": three(train=TRAIN, dev=DEV, test=TEST)}, {"t": EMOTIONS}).tasks
    fitted["t"] = fitted["t"].replace(thresholds=(0.2, 0.7))
    rows = [{"text": f"{i}", "fear": 1, "joy": i % 2} for i in range(2)]
    other = three(train=rows, dev=[{"text": "d", "fear": 0, "joy": 0}], test=[{"text": "e", "fear": 0, "joy": 1}])
    table = load({"s": other}, {"t": EMOTIONS | {"label": ["joy", "fear"]}}, fitted=fitted)
    assert table.labels("t", "train").tolist() == [[1, 0], [1, 1]]
    assert (table.tasks["t"].classes, table.tasks["t"].thresholds) == (("fear", "joy"), (0.2, 0.7))
    with pytest.raises(UsageError, match=r"tasks.t.kind: found generation, expected multilabel, as"):
        load({"s": other}, {"t": TITLE | {"label": "text"}}, fitted=fitted)


def test_auxiliary_labels_are_missing_in_dev_and_test(load, three):
    source = three(train=TRAIN, dev=[row("d", None)], test=[row("t", None)])
    table = load({"s": source}, {"t": EMOTIONS | {"auxiliary": True}, "score": SCORE})
    assert table.labels("t", "dev").shape == (0, 2)
    assert describe_table(table)["classes"]["t"]["dev"] == {"fear": 0, "joy": 0}


def test_lists_of_class_labels_of_a_hub_set_are_names(monkeypatch):
    names = datasets.ClassLabel(names=["joy", "fear"])
    features = datasets.Features({"text": datasets.Value("string"), "labels": datasets.List(names)})
    rows = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "labels": [[0, 1], [], None]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_: datasets.DatasetDict({"train": rows}))
    from equipoise.config import SourceConfig

    (found,) = read_source(SourceConfig(hub="some/set"))["train"]
    assert found.columns["labels"] == [["joy", "fear"], [], None]


def test_batches(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    emotions = Multilabel("emotions", "s", "text", None, "label", "macro_f1", ("a", "b", "c"))
    columns = {"text": ["good", "bad", "so so"], "pair": [None] * 3, "label:emotions": [[1, 0, 1], None, [0, 0, 0]]}
    rows, _ = tokenize(datasets.Dataset.from_dict(columns), tokenizer, 16)
    batch = Collator(tokenizer, {"emotions": emotions})([rows[i] for i in range(3)])
    assert batch["rows"]["emotions"].tolist() == [0, 2]
    torch.testing.assert_close(batch["targets"]["emotions"], torch.tensor([[1.0, 0, 1], [0, 0, 0]]))
    nothing = Collator(tokenizer, {"emotions": emotions})([rows[1]])["targets"]["emotions"]
    assert (nothing.shape, nothing.dtype) == ((0, 3), torch.float32)
