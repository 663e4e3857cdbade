"""Columns inside columns."""

import pyarrow
import pyarrow.parquet
import pytest

from equipoise.data import MISSING, find_cell, list_nested
from equipoise.errors import DataError

ROW = {
    "comment": {"body": "Good.", "by": {"name": "anna"}, "x.y": 1},
    "labels": [{"name": "joy", "rate": [1, 2]}, {"name": "trust"}, {"other": 0}],
    "a.b": "whole",
    "a": {"b": "inner", "c": 2},
    "c.d": {"e": 3},
    "none": None,
}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("comment.body", "Good."),
        ("comment.by.name", "anna"),
        ("comment.x.y", 1),
        ("labels.name", ["joy", "trust"]),
        ("labels.0.name", "joy"),
        ("labels.0.rate.1", 2),
        ("labels.rate", [[1, 2]]),
        ("a.b", "whole"),
        ("a.c", 2),
        ("c.d.e", 3),
        ("none", None),
        ("comment.title", MISSING),
        ("comment.body.more", MISSING),
        ("labels.9.name", MISSING),
        ("labels.99999999999", MISSING),
        ("none.x", MISSING),
        ("nothing", MISSING),
        ("", MISSING),
        ("...", MISSING),
    ],
)
def test_a_cell_is_found_by_its_path(column, cell):
    assert find_cell(ROW, column) == cell


def test_nested_columns_are_listed():
    assert list_nested({name: [cell] for name, cell in ROW.items()}) == [
        "comment.body", "comment.by.name", "comment.x.y", "labels.name", "labels.rate", "labels.other", "a.b", "a.c",
        "c.d.e",
    ]  # fmt: skip


def rows(count):
    return [
        {
            "comment": {"body": f"text {n}", "by": {"name": f"a{n // 2}"}},
            "rating": {"stars": n % 5, "topic": "ab"[n % 2]},
        }
        for n in range(count)
    ]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_tasks_read_nested_columns(write, load, tmp_path, ending):
    if ending == ".jsonl":
        write("a.jsonl", rows(60))
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows(60)), tmp_path / "a.parquet")
    table = load(
        {"s": {"path": f"a{ending}", "group": "comment.by.name", "subsets": ["rating.topic"]}},
        {
            "stars": {"source": "s", "kind": "regression", "text": "comment.body", "label": "rating.stars"},
            "topic": {"source": "s", "kind": "classification", "text": "comment.body", "label": "rating.topic"},
        },
    )
    first = table.splits["train"][0]
    number = int(first["text"].removeprefix("text "))
    assert (first["label:stars"], first["label:topic"]) == (number % 5, number % 2)
    assert first["subset:rating.topic"] == "ab"[number % 2]
    assert sum(map(len, table.splits.values())) == 60


@pytest.mark.parametrize(
    ("task", "phrase"),
    [
        ({"text": "body"}, "Inside another column there is: 'comment.body'; name it like that"),
        ({"text": "comment.bodi"}, r"Did you mean 'comment.body'\?"),
        ({"text": "comment.body", "label": "rating"}, "such as label: rating.stars"),
        ({"text": "comment.body", "label": "rating", "kind": "multilabel"}, "such as label: rating.stars"),
    ],
)
def test_a_message_names_the_nested_column(write, load, task, phrase):
    write("a.jsonl", rows(20))
    with pytest.raises(DataError, match=phrase):
        load(
            {"s": {"path": "a.jsonl"}}, {"t": {"source": "s", "kind": "classification", "label": "rating.topic"} | task}
        )
