"""Sources of several files, or folders."""

import pytest

from data_cases import LABEL, SCORE
from equipoise.data.rows import Rows, join_rows
from equipoise.errors import DataError


def row(text, label="a", **more):
    return {"text": text, "label": label, **more}


def write_folder(write, name, **splits):
    for split in ("train", "dev", "test"):
        rows = splits.get(split, [row(f"{name} {split} {i}", "ab"[i % 2]) for i in range(2)])
        write(f"{name}/{split}.jsonl", rows)


def texts(table):
    return {split: dataset["text"][:] for split, dataset in table.splits.items()}


def test_folders_are_joined_split_by_split(load, write):
    write_folder(write, "x")
    write_folder(write, "y")
    table = load({"s": {"path": ["x", "y"]}}, {"t": LABEL})
    assert texts(table) == {
        split: [f"x {split} 0", f"x {split} 1", f"y {split} 0", f"y {split} 1"] for split in ("train", "dev", "test")
    }
    assert set(table.splits["train"]["source"][:]) == {"s"}
    named = {split: [f"{name}/{split}.jsonl" for name in "xy"] for split in ("train", "dev", "test")}
    assert texts(load({"s": named}, {"t": LABEL})) == texts(table)


def test_files_are_joined_then_split_by_hash_as_one_file_would_be(load, write):
    rows = [row(f"text {i}", "ab"[i % 2]) for i in range(60)]
    one = write("one.jsonl", rows[:25])
    two = write("two.csv", "text,label\n" + "".join(f"{item['text']},{item['label']}\n" for item in rows[25:]))
    write("all.jsonl", rows)
    joined = load({"s": {"path": ["one.jsonl", "two.csv"]}}, {"t": LABEL})
    assert texts(joined) == texts(load({"s": {"path": "all.jsonl"}}, {"t": LABEL}))
    assert joined.notes[0].startswith(f"Source 's': dev and test taken from {one} and {two} by hash of text: ")


def test_repeats_across_files_are_merged(load, write):
    write_folder(write, "x", train=[row("same", "a"), row("other", "b")])
    write_folder(write, "y", train=[row("same", "a"), row("y dev 0", "b")])
    table = load({"s": {"path": ["x", "y"]}}, {"t": LABEL})
    assert texts(table)["train"] == ["same", "other"]
    assert table.notes == [
        "Source 's', train: rows dropped because their text or group stands in dev or test: 1.",
        "Source 's', train: rows merged because they repeat text (and pair) of another: 1.",
    ]


def test_messages_name_the_very_file_and_line(load, write):
    write_folder(write, "x")
    write_folder(write, "y", dev=[row("d", "a"), row("e", "c")])
    # A class that train does not have is found after the files are joined.
    with pytest.raises(DataError, match=r"y/dev\.jsonl, line 2, column 'label' \(task 't'\): found class 'c'"):
        load({"s": {"path": ["x", "y"]}}, {"t": LABEL})
    write("y/train.json", [row("a", "a", score=1)])
    table = {"s": {"train": ["x/train.jsonl", "y/train.jsonl"]}}
    with pytest.raises(DataError, match=r"x/train\.jsonl: found no column 'score' \(task 'u'\), expected one of"):
        load(table, {"t": LABEL, "u": SCORE})


def test_a_joined_row_keeps_its_file_and_place():
    lines = Rows("a.csv", [2, 3], {"text": ["a", "b"]}, unit="line")
    joined = join_rows([lines, Rows("b.json", [1, 2], {"text": ["c", "d"]})])
    assert joined.columns == {"text": ["a", "b", "c", "d"]}
    assert [joined.where(i) for i in range(4)] == ["a.csv, line 2", "a.csv, line 3", "b.json, row 1", "b.json, row 2"]
    taken = joined.take([3, 0])
    assert [taken.where(i) for i in range(2)] == ["b.json, row 2", "a.csv, line 2"]
    assert join_rows([lines]) is lines


@pytest.mark.parametrize(("count", "name"), [(2, "f0 and f1"), (3, "f0, f1 and 1 more"), (9, "f0, f1 and 7 more")])
def test_what_messages_call_joined_files(count, name):
    assert join_rows([Rows(f"f{i}", [1], {}) for i in range(count)]).file == name


def test_a_file_of_which_no_row_has_a_label(load, write):
    write_folder(write, "x")
    write_folder(write, "y", test=[row("t", None)])
    with pytest.raises(DataError, match=r"y/test\.jsonl: found no label in column 'label' on any of 1 rows"):
        load({"s": {"path": ["x", "y"]}}, {"t": LABEL})
