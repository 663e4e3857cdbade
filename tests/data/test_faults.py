"""All faults of a run's data are said in one call, each in a message of its own."""

import json
import pickle

import pytest

from equipoise.data import read_once, read_rows
from equipoise.errors import MESSAGE_LIMIT, DataError, FaultsError, UsageError


def task(source, **more):
    return {"source": source, "kind": "classification", "label": "label"} | more


def as_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def four(write):
    """Four sources, each with a fault of another sort, and one that is right."""
    write("one.csv", "text,label\n“a”,pos\n".encode("cp1252"))
    write("two.tsv", "text\tlabel\tscore\na\tpos\tx\nb\tneg\t2\nc\t\t0,5\n")
    write("three.jsonl", as_lines({"comment": {"body": f"t {n}"}, "label": "ab"[n % 2]} for n in range(20)))
    write("train.csv", "text,label\n" + "".join(f"x {n},{'pn'[n % 2]}\n" for n in range(8)))
    write("dev.csv", "text,label\ny,q\n")
    write("right.csv", "text,label\n" + "".join(f"r {n},{'pn'[n % 2]}\n" for n in range(40)))
    return {
        "one": {"path": "one.csv"},
        "two": {"path": "two.tsv"},
        "three": {"path": "three.jsonl", "group": "autor"},
        "four": {"train": "train.csv", "dev": "dev.csv", "test": "nowhere.csv"},
        "five": {"path": "right.csv"},
    }


def test_all_faults_of_all_sources_are_found_at_once(four, load):
    tasks = {name: task(name) for name in four}
    tasks["score"] = task("two", kind="regression", label="score", range=[0, 1])
    with pytest.raises(FaultsError) as caught:
        load(four, tasks)
    faults = caught.value.args
    assert [fault.split(": ")[0].rpartition("/")[2] for fault in faults] == [
        "one.csv, line 2",
        "two.tsv, line 2, column 'score' (task 'score')",
        "three.jsonl",
        "three.jsonl",
        "nowhere.csv",
    ]
    assert "encoding: cp1252" in faults[0]
    assert faults[1].count("\n") > 1
    assert 'decimal: ","' in faults[1]
    assert "(the source's group)" in "".join(faults[2:4])
    assert "expected one of 'label', 'comment.body'" in "".join(faults[2:4])
    assert all(len(fault) <= MESSAGE_LIMIT for fault in faults)
    message = str(caught.value)
    assert message.startswith("found 5 faults:\n- ")
    assert caught.value.exit_code == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


def test_labels_that_train_does_not_have_are_found_beside_others(write, load, four):
    write("nowhere.csv", "text,label\nz,p\nzz,n\n")
    with pytest.raises(FaultsError) as caught:
        load({name: four[name] for name in ("two", "four")}, {
            "two": task("two", kind="regression", label="score"), "four": task("four")
        })  # fmt: skip
    two, four_ = caught.value.args
    assert "found 'x', expected a number" in two
    assert "dev.csv, line 2, column 'label' (task 'four'): found class 'q', which train does not have" in four_


def test_what_follows_from_a_fault_is_not_said(write, load):
    # Without its labels the task has no classes, and dev has no row: neither is a fault of its own.
    write("a.csv", "text,score\n" + "".join(f"t {n},x{n}\n" for n in range(30)))
    score = task("s", kind="regression", label="score")
    with pytest.raises(DataError, match="found 'x0', expected a number") as caught:
        load({"s": {"path": "a.csv"}}, {"score": score, "other": score})
    assert not isinstance(caught.value, FaultsError)
    assert str(caught.value).count("(task 'other')") >= 1


def test_faults_of_each_file_are_counted_by_themselves(write, load):
    for name in ("a", "b"):
        write(f"{name}.csv", "text,score\n" + "".join(f"{name} {n},{'x' if n > 2 else n}\n" for n in range(30)))
    with pytest.raises(FaultsError) as caught:
        load({"s": {"path": ["a.csv", "b.csv"]}}, {"score": task("s", kind="regression", label="score")})
    first, second = caught.value.args
    assert "a.csv, line 5" in first
    assert "b.csv, line 5" in second
    assert all("more.\n" in fault for fault in (first, second))


def test_labels_that_do_not_fit_their_text_are_no_crash(write, load):
    rows = [{"text": f"nice screen {n}", "tags": ["O", "B-good"] + ["O"] * (n > 3), "topic": n % 2} for n in range(40)]
    write("a.jsonl", as_lines(rows))
    with pytest.raises(DataError, match="found 2 tags for 3 words"):
        load(
            {"s": {"path": "a.jsonl"}}, {"t": task("s", kind="extraction", label="tags"), "o": task("s", label="topic")}
        )


def test_every_missing_column_is_named(write, load):
    write("a.csv", "text,label\n" + "".join(f"t {n},{'ab'[n % 2]}\n" for n in range(30)))
    with pytest.raises(FaultsError) as caught:
        load({"s": {"path": "a.csv", "group": "who", "subsets": ["x"]}}, {"t": task("s", label="lable", pair="target")})
    assert [fault.split("'")[1] for fault in caught.value.args] == ["lable", "target", "x", "who"]


def test_tasks_that_cannot_be_learnt_are_found_together(write, load):
    write("a.csv", "text,one,two,three\n" + "".join(f"t {n},a,{n % 2},b\n" for n in range(30)))
    with pytest.raises(FaultsError) as caught:
        load({"s": {"path": "a.csv"}}, {name: task("s", label=name) for name in ("one", "two", "three")})
    assert [fault.partition("task '")[2][:3] for fault in caught.value.args] == ["one", "thr"]


def test_a_wrong_encoding_does_not_hide_a_wrong_delimiter(write, load):
    write("a.csv", "text;label\n“a”;pos\n".encode("cp1252"))
    write("b.csv", "text;label\ngrößer;pos\n".encode("utf-16"))
    for name, encoding in (("a", "cp1252"), ("b", "utf-16")):
        with pytest.raises(FaultsError) as caught:
            load({"s": {"path": f"{name}.csv"}, "t": {"path": "nowhere.csv"}}, {"s": task("s"), "t": task("t")})
        first, second, third = caught.value.args
        assert f"encoding: {encoding}" in first
        assert 'sep: ";"' in second
        assert "nowhere.csv: found no such file" in third


def test_one_fault_is_raised_as_it_is(write, load):
    write("a.csv", "text,label\n" + "".join(f"t {n},{'ab'[n % 2]}\n" for n in range(30)))
    with pytest.raises(UsageError, match=r"sources\.s\.map: found the column"):
        load({"s": {"path": "a.csv", "map": {"x": {"a": "b"}}}}, {"t": task("s")})


def test_many_faults_are_counted():
    error = FaultsError(*(f"file {number}\nmore" for number in range(30)))
    assert str(error).startswith("found 30 faults:\n- file 0\n  more\n- file 1\n")
    assert str(error).endswith("- file 19\n  more\n… and 10 more.")


def test_files_that_are_read_once_are_read_once_with_maps(write, load, monkeypatch):
    write("a.csv", "text,label\n" + "".join(f"t {n},{'ab'[n % 2]}\n" for n in range(30)))
    calls = []
    monkeypatch.setattr("equipoise.data.sources.read_rows", lambda *given: calls.append(given) or read_rows(*given))
    reader = read_once()
    for _ in range(2):
        load({"s": {"path": "a.csv", "map": {"a": "c"}}}, {"t": task("s")}, read=reader)
    assert len(calls) == 1
