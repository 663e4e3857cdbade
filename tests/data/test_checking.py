"""What is wrong with rows and labels comes as one message that names file, row, column and the way out."""

import pytest

from data_cases import LABEL, SCORE
from equipoise.errors import DataError, UsageError

GOOD = {"text": "fine", "score": 0.5, "label": "a"}


def message(load, source, *tasks, **options):
    with pytest.raises(DataError) as caught:
        load({"s": source}, {f"t{i}": task for i, task in enumerate(tasks)}, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('"high"', "found 'high', expected a number"),
        ("NaN", "found nan, expected a finite number"),
        ("Infinity", "found inf, expected a finite number"),
        ("1.5", "found 1.5, expected a number from -1 to 1"),
        ("true", "found True, expected a finite number"),
        ("[0.5]", "found [0.5], expected one value"),
        ('""', "found '', expected a number"),
        ("1e200", "found 1e+200, expected a finite number (up to ±3.4e38)"),
        ("9" * 400, f"found {'9' * 59}…, expected a finite number"),
    ],
)
def test_bad_scores(load, three, write, cell, found):
    source = three()
    write("train.jsonl", '{"text": "a", "score": 0.1}\n{"text": "b", "score": ' + cell + "}\n")
    text = message(load, source, SCORE)
    assert "train.jsonl, line 2, column 'score' (task 't0'): " + found in text
    assert "Correct the cells" in text


@pytest.mark.parametrize("cell", ["nan", "NaN", "high", "2", " "])
def test_bad_scores_in_csv(load, write, cell):
    path = write("a.csv", f"text,score\none,0.5\ntwo,{cell}\n")
    assert f"{path}, line 3, column 'score' (task 't0'): found " in message(load, {"path": "a.csv"}, SCORE)


def test_the_first_problems_of_each_task_are_shown(load, three):
    rows = [{"text": f"text {i}", "score": "x", "label": ""} for i in range(7)]
    text = message(load, three(train=rows), SCORE, LABEL)
    shown = text.count("found 'x'") + text.count("found an empty label")
    assert "line 1, column 'score' (task 't0'): found 'x', expected a number." in text
    assert "line 1, column 'label' (task 't1'): found an empty label, expected a class." in text
    assert f"… and {14 - shown} more.\nCorrect the cells" in text


@pytest.mark.parametrize("cell", [["a"], True])
def test_texts_must_be_texts(load, three, cell):
    text = message(load, three(dev=[GOOD, GOOD | {"text": cell}]), LABEL)
    assert f"dev.jsonl, line 2, column 'text' (task 't0'): found {cell!r}, expected a text" in text
    assert text.splitlines()[1:] == ["Give these rows a text, or leave it empty: then they are left out."]


@pytest.mark.parametrize("cell", [None, "", "  \n", "\u200b", float("nan")])
def test_rows_with_an_empty_text_are_left_out(load, three, cell):
    dev = [GOOD, GOOD | {"text": cell}, {"text": "b", "label": None}, {"text": cell, "label": None}]
    table = load({"s": three(dev=dev)}, {"t": LABEL})
    assert table.splits["dev"]["text"][:] == ["fine"]
    said = [note for note in table.notes if "left out" in note]
    assert [note.partition("left out ")[2].partition(" (")[0].rstrip(".") for note in said] == [
        "because they have a label and no text: 1",
        "because they have no label: 2",
    ]
    assert "dev.jsonl, line 2)" in said[0]


def test_rows_with_an_empty_pair_keep_their_other_labels(load, three):
    rows = [{"text": f"t {n}", "aim": "x" if n < 4 else "", "label": "ab"[n % 2], "score": n / 10} for n in range(6)]
    rows[0] |= {"text": "", "aim": ""}
    source = three(train=rows, dev=[GOOD | {"aim": "x"}], test=[GOOD | {"aim": "x", "text": "other"}])
    table = load({"s": source | {"disagreement": "score"}}, {"t": LABEL | {"pair": "aim"}, "u": SCORE})
    train = table.splits["train"].to_dict()
    found = list(zip(train["text"], train["label:t"], strict=True))
    assert [row for row in found if row[1] is not None] == [("t 1", 1), ("t 2", 0), ("t 3", 1)]
    assert [score for score in train["label:u"] if score is not None] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert train["disagreement"] == [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert any("no text: 3 (the first in " in note and "train.jsonl, line 1)" in note for note in table.notes)


def test_a_file_must_have_a_text(load, three):
    rows = [{"text": " ", "label": "a"}, {"text": None, "label": "b"}, {"text": "c", "label": None}]
    text = message(load, three(train=rows), LABEL)
    assert "train.jsonl, line 1, column 'text' (task 't0'): found no text on any of 2 rows with a label" in text
    assert "Name the column of the texts" in text


def test_numbers_are_texts(load, three):
    table = load({"s": three(test=[GOOD | {"text": 12}])}, {"t": LABEL})
    assert table.splits["test"]["text"][:] == ["12"]


@pytest.mark.parametrize(
    ("task", "extra", "phrase"),
    [
        ({"label": "lable"}, {}, "found no column 'lable' (task 't0'), expected one of 'text', 'score', 'label'. Did"),
        ({"text": "sentence"}, {}, "found no column 'sentence' (task 't0')"),
        ({"pair": "target"}, {}, "found no column 'target' (task 't0')"),
        ({}, {"group": "author"}, "found no column 'author' (the source's group)"),
        ({}, {"subsets": ["domain"]}, "found no column 'domain' (one of the source's subsets)"),
    ],
)
def test_missing_columns(load, three, task, extra, phrase):
    text = message(load, three() | extra, LABEL | task)
    assert "train.jsonl: " + phrase in text


def test_a_class_that_train_lacks(load, three):
    rows = [GOOD, GOOD | {"text": "other", "label": "c"}]
    text = message(load, three(test=rows), LABEL)
    assert "test.jsonl, line 2, column 'label' (task 't0'): found class 'c', which train does not have" in text
    assert "expected one of 'a', 'b'" in text
    assert "classes" in text.splitlines()[-1]
    table = load({"s": three(test=rows)}, {"t": LABEL | {"classes": ["a", "b", "c"]}})
    assert table.labels("t", "test").tolist() == [0, 2]


def test_a_class_that_the_run_file_lacks(load, three):
    text = message(load, three(), LABEL | {"classes": ["a", "d"]})
    assert "train.jsonl, line 2, column 'label' (task 't0'): found class 'b', expected one of 'a', 'd'" in text


def test_one_class_only(load, three):
    rows = [GOOD, GOOD | {"text": "other"}]
    text = message(load, three(train=rows), LABEL)
    assert "train.jsonl, column 'label' (task 't0', 2 training labels): every training label is 'a'" in text
    assert "two classes or more" in text


def test_no_variance(load, three):
    rows = [GOOD, GOOD | {"text": "other"}]
    assert "every training label is 0.5, expected scores that differ" in message(load, three(train=rows), SCORE)


def test_too_few_scores_for_automatic_thresholds(load, three):
    task = LABEL | {"label": "score", "from_score": {"classes": list("abcde")}}
    assert "thresholds: auto found 4 different scores, expected 5 or more" in message(load, three(), task)


def test_a_file_without_labels(load, three):
    text = message(load, three(dev=[{"text": "x", "label": None}]), LABEL)
    assert "dev.jsonl: found no label in column 'label' on any of 1 rows" in text


def test_a_task_without_labels_in_a_split(load, three):
    text = message(load, three(test=[{"text": "x", "score": 0.5, "label": None}]), SCORE, LABEL)
    assert "task 't1': found no label in test (source 's', column 'label', 1 rows)" in text


def test_an_empty_split(load, write):
    write("a.jsonl", [GOOD])
    text = message(load, {"path": "a.jsonl"}, LABEL)
    assert "source 's': " in text
    assert "is empty: found 1 rows in" in text
    assert "a file for each split" in text


def test_an_empty_split_by_group(load, write):
    write("a.jsonl", [{"text": f"t {n}", "label": "ab"[n % 2], "author": "w"} for n in range(60)])
    text = message(load, {"path": "a.jsonl", "group": "author"}, LABEL)
    assert "a.jsonl in 1 group (column 'author'), each of which is in one split, and by hash none of them" in text
    assert "Give rows of more groups" in text


def test_a_share_of_zero_goes_with_a_file(load, three):
    source = three() | {"split": [0.8, 0.2, 0]}
    assert load({"s": source}, {"t": SCORE}).counts()["test"]["rows"] == 2
    del source["test"]
    with pytest.raises(UsageError, match=r"sources.s.split: found \[0.8, 0.2, 0.0\], .* test has no file of its own"):
        load({"s": source}, {"t": SCORE})


def test_a_split_that_stands_in_another(load, three):
    text = message(load, three(train=[GOOD, GOOD], test=[GOOD | {"text": " FINE"}]), LABEL)
    assert "source 's': train is empty: found 2 rows in" in text
    assert "stand in dev or test" in text


def test_too_many_subset_values(load, three):
    rows = [GOOD | {"text": f"text {i}", "id": i} for i in range(21)]
    text = message(load, three(train=rows) | {"subsets": ["id"]}, LABEL)
    assert "train.jsonl, column 'id': found 21 different values, expected at most 20" in text


def test_fitted_tasks(load, three, write):
    fitted = load({"s": three()}, {"t": LABEL, "u": SCORE}).tasks
    rows = [GOOD | {"sentiment": "b"}, GOOD | {"text": "other", "sentiment": "b"}]
    other = three(
        train=rows, dev=[GOOD | {"text": "d", "sentiment": "a"}], test=[GOOD | {"text": "e", "sentiment": "b"}]
    )
    table = load({"s": other}, {"t": LABEL | {"label": "sentiment"}}, fitted=fitted)
    assert table.tasks == {"t": fitted["t"].replace(label="sentiment")}
    assert table.labels("t", "train").tolist() == [1, 1]
    write("dev.jsonl", [GOOD | {"text": "d", "sentiment": "c"}])
    with pytest.raises(DataError, match=r"dev.jsonl, line 1, .* found class 'c', expected one of 'a', 'b'"):
        load({"s": other}, {"t": LABEL | {"label": "sentiment"}}, fitted=fitted)


def test_tasks_that_the_fitted_ones_lack(load, three):
    fitted = load({"s": three()}, {"t": LABEL, "u": SCORE}).tasks
    with pytest.raises(UsageError, match=r"tasks.tt: the model has no such task. Did you mean 't'\?"):
        load({"s": three()}, {"tt": LABEL}, fitted=fitted)
    with pytest.raises(UsageError, match=r"tasks.t.kind: found regression, expected classification, as"):
        load({"s": three()}, {"t": SCORE}, fitted=fitted)
