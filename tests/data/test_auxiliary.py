"""Auxiliary tasks: trained, never scored."""

import numpy as np
import pytest

from data_cases import LABEL, SCORE
from equipoise.errors import DataError, UsageError

AUXILIARY = {"auxiliary": True}
SPLITS = ("train", "dev", "test")


def texts(table):
    return {split: dataset["text"][:] for split, dataset in table.splits.items()}


@pytest.mark.parametrize("form", ["file", "files", "folder", "keys"])
def test_a_source_of_auxiliary_tasks_alone_gives_training_rows_only(load, write, three, form):
    rows = [{"text": f"more {i}", "label": "xy"[i % 2]} for i in range(40)]
    write("b/train.jsonl", rows)
    write("b/train2.jsonl", [{"text": "even more", "label": "x"}])
    # Not read: the labels are no labels of the task.
    write("b/dev.jsonl", [{"nothing": 1}])
    write("b/test.jsonl", [{"nothing": 1}])
    source = {
        "file": {"path": "b/train.jsonl"},
        "files": {"path": ["b/train.jsonl", "b/train2.jsonl"]},
        "folder": {"path": "b"},
        "keys": {"train": "b/train.jsonl", "dev": "b/dev.jsonl", "test": "no such file"},
    }[form]
    tasks = {"helper": LABEL | AUXILIARY | {"source": "b"}, "score": SCORE}
    table = load({"s": three(), "b": source | {"split": [1, 0, 0]}}, tasks)
    alone = load({"s": three()}, {"score": SCORE})
    n = 40 + (form == "files")
    assert texts(table)["train"] == [item["text"] for item in rows] + ["even more"] * (n - 40) + texts(alone)["train"]
    for split in ("dev", "test"):
        assert texts(table)[split] == texts(alone)[split]
        assert table.labels("score", split).tolist() == alone.labels("score", split).tolist()
        assert len(table.labels("helper", split)) == len(table.rows("helper", split)) == 0
    assert table.counts()["train"]["labels"] == {"helper": n, "score": 4}
    assert list(table.tasks) == ["helper", "score"]
    assert list(table.scored) == ["score"]
    assert f"Source 'b' is read by auxiliary tasks only: all rows are for train: {n}." in table.notes


def test_texts_of_dev_and_test_are_dropped_from_auxiliary_sources(load, write, three):
    source = three(
        dev=[{"text": "In  Dev", "score": 0}],
        test=[{"text": "Ｉn TEST\n", "score": 0}],
    )
    held = ["in dev", " IN DEV", "in test", "in Test"]
    write("b.jsonl", [{"text": text, "label": "xy"[i % 2]} for i, text in enumerate([*held, "own", "mine"])])
    table = load(
        {"b": {"path": "b.jsonl"}, "s": source}, {"score": SCORE, "helper": LABEL | AUXILIARY | {"source": "b"}}
    )
    assert texts(table)["train"][-2:] == ["own", "mine"]
    assert table.counts()["train"]["labels"] == {"score": 4, "helper": 2}
    assert "Source 'b', train: rows dropped because their text or group stands in dev or test: 4." in table.notes


def test_an_auxiliary_source_takes_nothing_from_anyone(load, write, three):
    """What a scored task is trained and tested on does not depend on the rows of auxiliary sources."""
    write("b.jsonl", [{"text": f"text {i}", "label": "xy"[i % 2]} for i in range(4)] + [{"text": "own", "label": "x"}])
    with_, without = (
        load({"s": three(), "b": {"path": "b.jsonl"}}, {"score": SCORE, **more})
        for more in ({"helper": LABEL | AUXILIARY | {"source": "b"}}, {})
    )
    for split in SPLITS:
        own = with_.rows("score", split)
        assert with_.splits[split][own]["text"] == without.splits[split]["text"][:]
        assert with_.labels("score", split).tolist() == without.labels("score", split).tolist()


def test_a_source_that_a_scored_task_reads_as_well(load, three):
    """Automatic thresholds, fitted on train, for an auxiliary task beside the score itself."""
    cut = LABEL | AUXILIARY | {"label": "score", "from_score": {"classes": ["low", "high"], "thresholds": "auto"}}
    table = load({"s": three()}, {"score": SCORE, "stratum": cut})
    assert table.tasks["stratum"].thresholds == pytest.approx((0.15,))
    assert table.labels("stratum", "train").tolist() == [0, 0, 1, 1]
    assert table.counts()["train"] == {"rows": 4, "labels": {"score": 4, "stratum": 4}}
    for split in ("dev", "test"):
        assert table.counts()[split] == {"rows": 2, "labels": {"score": 2, "stratum": 0}}
        assert table.labels("stratum", split).dtype == np.int64


def test_dev_and_test_need_no_column_for_auxiliary_tasks(load, three):
    def rows(*texts, **more):
        return [{"text": text, "score": i / 10, **more} for i, text in enumerate(texts)]

    source = three(
        train=[*rows("a", "b", topic="x", aim="p"), *rows("c", topic="y", aim="q")], dev=rows("d"), test=rows("t", "u")
    )
    topic = LABEL | AUXILIARY | {"label": "topic", "pair": "aim"}
    table = load({"s": source}, {"score": SCORE, "topic": topic})
    assert table.splits["train"]["pair"][:] == [None, None, None, "p", "p", "q"]
    assert texts(table)["test"] == ["t", "u"]
    with pytest.raises(DataError, match=r"dev\.jsonl: found no column 'topic'"):
        load({"s": source}, {"score": SCORE, "topic": topic | {"auxiliary": False}})


def test_a_file_that_is_split_by_hash_keeps_auxiliary_labels_in_train(load, write):
    rows = [{"text": f"text {i}", "score": i / 60 if i % 3 else None, "label": "xy"[i % 2]} for i in range(60)]
    write("a.jsonl", rows)
    source = {"path": "a.jsonl", "split": [0.5, 0.25, 0.25]}
    table = load({"s": source}, {"score": SCORE, "helper": LABEL | AUXILIARY})
    alone = load({"s": source}, {"score": SCORE})
    for split in ("dev", "test"):
        assert texts(table)[split] == texts(alone)[split]
        assert table.counts()[split]["labels"]["helper"] == 0
    counts = table.counts()["train"]
    assert counts["rows"] == counts["labels"]["helper"] > counts["labels"]["score"]
    left_out = 60 - sum(split["rows"] for split in table.counts().values())
    told = [int(note.rpartition(" ")[2][:-1]) for note in table.notes if "auxiliary tasks alone have a label" in note]
    assert sum(told) == left_out > 0


def test_limits_and_subsets_of_an_auxiliary_source(load, write, three):
    write("b.csv", "text,label,domain\n" + "".join(f"more {i},{'xy'[i % 2]},d\n" for i in range(30)))
    source = {"path": "b.csv", "limit": {"train": 10, "dev": 1, "test": 1}, "subsets": ["domain"]}
    table = load({"s": three(), "b": source}, {"score": SCORE, "helper": LABEL | AUXILIARY | {"source": "b"}})
    assert table.counts()["train"]["rows"] == 14
    assert table.splits["dev"]["subset:domain"][:] == [None, None]


def test_an_auxiliary_task_without_training_labels(load, three):
    rows = [{"text": f"text {i}", "score": i / 10, "label": None} for i in range(4)]
    with pytest.raises(DataError, match=r"task 'helper': found no label in train"):
        load({"s": three(train=rows)}, {"score": SCORE, "helper": LABEL | AUXILIARY})


def test_auxiliary_is_what_the_run_file_says_not_the_model(load, three):
    fitted = load({"s": three()}, {"score": SCORE, "label": LABEL}).tasks
    table = load({"s": three()}, {"score": SCORE, "label": LABEL | AUXILIARY}, fitted=fitted)
    assert list(table.scored) == ["score"]
    with pytest.raises(UsageError, match="found auxiliary tasks only"):
        load({"s": three()}, {"score": SCORE | AUXILIARY})
