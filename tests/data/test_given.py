from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from equipoise.config import make_table_config
from equipoise.data import GivenTables, gather_tables, given_strangers, load_table, locate_tables, read_columns
from equipoise.errors import DataError, UsageError

ROWS = [
    {"text": f"{word} {number}", "stars": number % 5 + 1, "topic": topic, "tags": [topic], "unread": object}
    for number, (word, topic) in enumerate([("good", "price"), ("bad", "food"), ("fine", "price")] * 20)
]
TASKS = {
    "stars": {"kind": "regression", "label": "stars", "range": [1, 5]},
    "topic": {"kind": "classification", "label": "topic"},
}
PLAIN = [{"text": row["text"], "stars": row["stars"], "topic": row["topic"]} for row in ROWS]


def load(data, folder: Path, **keys):
    tables = gather_tables(data)
    config = make_table_config(locate_tables(tables), {"tasks": TASKS, "output": folder / "run", **keys}, {})
    given = GivenTables(tables, config)
    with given.in_memory():
        return given, config, load_table(config)


def same(one, other):
    return all(one.splits[split][:] == other.splits[split][:] for split in one.splits)


FORMS = {
    "pandas": pd.DataFrame,
    "pandas-arrow": lambda rows: pd.DataFrame(rows).convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.DataFrame,
    "polars-categories": lambda rows: pl.DataFrame(rows).with_columns(pl.col("topic").cast(pl.Categorical)),
    "arrow": pa.Table.from_pylist,
    "dicts": list,
    "datasets": datasets.Dataset.from_list,
    "class-labels": lambda rows: datasets.Dataset.from_list(rows).class_encode_column("topic"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_rows_of_a_list_of_dicts(form, tmp_path):
    expected = load(PLAIN, tmp_path)[2]
    assert same(load(FORMS[form](PLAIN), tmp_path)[2], expected)


def test_the_written_rows_are_those_in_memory_and_hold_only_what_is_read(tmp_path):
    given, config, in_memory = load(ROWS, tmp_path)
    config.output.mkdir()
    given.write()
    path = config.output / "data" / "data.parquet"
    assert set(pa.parquet.read_schema(path).names) == {"text", "stars", "topic"}
    assert same(load_table(config), in_memory)


def test_a_later_run_removes_the_rows_of_the_one_before_and_nothing_else(tmp_path):
    given, config, _ = load({"first": PLAIN}, tmp_path)
    config.output.mkdir()
    given.write()
    (config.output / "data" / "mine.parquet").write_bytes(b"PAR1")
    pa.parquet.write_table(pa.table({"a": [1]}), config.output / "data" / "own.parquet")
    load({"second": PLAIN}, tmp_path)[0].write()
    names = sorted(path.name for path in (config.output / "data").iterdir())
    assert names == ["mine.parquet", "own.parquet", "second.parquet"]
    assert given_strangers(config.output) == ["data/mine.parquet", "data/own.parquet"]


def test_splits_and_sources_are_told_apart(tmp_path):
    splits = {"train": PLAIN[:40], "validation": PLAIN[40:50], "test": PLAIN[50:]}
    table = load(splits, tmp_path)[2]
    assert {split: len(rows) for split, rows in table.splits.items()} == {"train": 40, "dev": 10, "test": 10}
    hub = datasets.DatasetDict({name: datasets.Dataset.from_list(rows) for name, rows in splits.items()})
    hub["unsupervised"] = datasets.Dataset.from_list([{"text": "x"}])
    assert same(load(hub, tmp_path)[2], table)
    tasks = {"stars": {**TASKS["stars"], "source": "one"}, "topic": {**TASKS["topic"], "source": "two"}}
    assert set(load({"one": splits, "two": PLAIN}, tmp_path, tasks=tasks)[2].splits["train"]["source"]) == {
        "one",
        "two",
    }


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, float("nan")])
def test_missing_values_mean_no_label(missing, tmp_path):
    rows = [{**row, "stars": missing if place % 3 else row["stars"]} for place, row in enumerate(PLAIN)]
    expected = sum(row["stars"] is not None for row in rows[::3])
    for data in (rows, pd.DataFrame(rows, dtype=object)):
        table = load(data, tmp_path)[2]
        labels = {split: counts["labels"]["stars"] for split, counts in table.counts().items()}
        assert sum(labels.values()) == expected


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, list])
def test_no_is_a_label(form):
    rows = [{"liked": False}, {"liked": True}, {"liked": None}]
    assert read_columns(form(rows), "df")["liked"] == [False, True, None]
    numbers = read_columns([{"n": np.bool_(False)}, {"n": 0}, {"n": 0.0}, {"n": np.float32(0)}, {"n": ""}], "rows")["n"]
    assert None not in numbers


def test_nan_of_polars_means_no_label():
    assert read_columns(pl.DataFrame({"stars": [1.0, float("nan"), None]}), "df")["stars"] == [1.0, None, None]


def test_classes_keep_their_names_where_pandas_turns_numbers_into_floats(tmp_path):
    frame = pd.DataFrame(PLAIN)
    frame.loc[::7, "stars"] = np.nan
    task = {"kind": "classification", "label": "stars"}
    assert load(frame, tmp_path, tasks={"stars": task})[2].tasks["stars"].class_names == ("1", "2", "3", "4", "5")


def test_lists_in_cells_are_labels(tmp_path):
    frame = pd.DataFrame({"text": [row["text"] for row in ROWS], "tags": [np.array(row["tags"]) for row in ROWS]})
    table = load(frame, tmp_path, tasks={"tags": {"kind": "multilabel", "label": "tags"}})[2]
    assert table.tasks["tags"].class_names == ("food", "price")


BAD_TABLES = {
    "a cell that is no number": (
        lambda frame: frame.__setitem__("stars", [*frame["stars"][:-1], "many"]),
        "table 'data', 0-based row 59, column 'stars': found 'many' (str), expected int as above it",
    ),
    "a label out of range": (
        lambda frame: frame.__setitem__("stars", [*frame["stars"][:3], 9, *frame["stars"][4:]]),
        "table 'data', 0-based row 3, column 'stars' (task 'stars'): found 9",
    ),
    "an object": (
        lambda frame: frame.__setitem__("topic", [object(), *frame["topic"][1:]]),
        "0-based row 0, column 'topic': found <object",
    ),
    "no such column": (lambda frame: frame.__delitem__("topic"), "found no column 'topic' (task 'topic')"),
    "a number for a name": (lambda frame: frame.__setitem__(7, 1), "table 'data': found a column 7 (int)"),
    "no rows": (lambda frame: frame.drop(frame.index, inplace=True), "table 'data': found no rows"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_what_is_wrong_with_a_table_names_column_and_row(name, tmp_path):
    change, message = BAD_TABLES[name]
    frame = pd.DataFrame(PLAIN).astype(object)
    change(frame)
    with pytest.raises(DataError) as error:
        load(frame, tmp_path)
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pd.Series(["a"]), "table 'data': found Series, expected a DataFrame"),
        (pl.DataFrame(PLAIN).lazy(), "collect it first"),
        ({"one": "reviews.csv"}, "table 'one': found str"),
        ({}, "found an empty dict"),
        ({"test": PLAIN}, "expected a split called train"),
        ({"train": PLAIN, "extra": PLAIN}, "found 'extra', expected the splits"),
        ({"train": PLAIN, "dev": PLAIN, "valid": PLAIN}, "a second table for dev, 'valid'"),
        ({"text": ["a", "b"], "stars": [1, 2]}, "found a list that begins with 'a', expected dicts"),
        ([PLAIN[0], "good"], "table 'data', 0-based row 1: found 'good', expected a dict"),
        ([*PLAIN, {**PLAIN[0], "text": "\ud800"}], "0-based row 60, column 'text': found '\\ud800'"),
    ],
)
def test_what_is_no_table_is_refused(data, message, tmp_path):
    with pytest.raises((UsageError, DataError)) as error:
        load(data, tmp_path)
    assert message in str(error.value)
