"""What a run gets wrong, and the sentences that its report begins with."""

import json
import sys

import numpy as np
import pytest

import equipoise
from equipoise.evaluation import mistakes as finding
from equipoise.kinds import Classification, Extraction, Multilabel, Ordinal, Regression, make_analysis
from equipoise.modeling import why_unexplained
from equipoise.reporting import conclude


def read(run, name):
    return json.loads((run.folder / name).read_text(encoding="utf-8"))


def test_every_task_says_what_it_gets_wrong(trusted):
    mistakes = read(trusted, "mistakes.json")
    assert set(mistakes) == {"intensity", "polarity", "stars", "words"}
    predictions = np.load(trusted.folder / "predictions.npz")
    for name, found in mistakes.items():
        assert found["n"] == len(predictions[f"test/{name}/gold"])
        assert len(found["examples"]) == min(20, found["wrong"]) > 0
        assert all(row["answer"].partition(" (")[0] != row["label"] for row in found["examples"])
    gold = predictions["test/polarity/gold"]
    confusion = np.array(mistakes["polarity"]["confusion"])
    assert confusion.sum(axis=1).tolist() == np.bincount(gold, minlength=3).tolist()
    assert confusion.sum() - confusion.trace() == mistakes["polarity"]["wrong"]
    accuracy = next(
        one["value"]
        for one in read(trusted, "metrics.json")
        if (one["split"], one["subset"], one["model"], one["task"], one["metric"])
        == ("test", "all", "run", "polarity", "accuracy")
    )
    assert confusion.trace() / confusion.sum() == pytest.approx(accuracy)
    assert mistakes["intensity"]["confusion"] is None
    assert sum(part["items"] for part in mistakes["intensity"]["parts"]) == mistakes["intensity"]["n"]


def test_the_surest_mistakes_come_first(trusted):
    shown = [float(row["answer"].split("(")[1][:-1]) for row in read(trusted, "mistakes.json")["polarity"]["examples"]]
    labels = [row["label"] for row in read(trusted, "mistakes.json")["polarity"]["examples"]]
    assert len(set(labels)) > 1
    assert np.mean(shown[:5]) >= np.mean(shown[-5:])


def test_the_words_that_decided_are_kept(trusted):
    for name, found in read(trusted, "mistakes.json").items():
        assert found["unexplained"] == ""
        assert any(row["explained"] for row in found["examples"])
        for row in found["examples"]:
            for explained in row["explained"]:
                assert all(row["text"][one["start"] : one["end"]] == one["word"] for one in explained["words"])
                assert " ".join(one["word"] for one in explained["words"]) == row["text"]
                assert (explained["rest"], explained["pair_words"]) == (0, [])
            named = [explained["of"] for explained in row["explained"]]
            if found["classes"] and name != "stars":
                assert named == sorted(row["answer_classes"], key=lambda one: one in row["label_classes"])


def test_what_cannot_be_explained_says_why(trusted, monkeypatch):
    model = equipoise.load(trusted.folder).model
    task = model.tasks["polarity"]
    assert why_unexplained(task, model) == ""
    assert why_unexplained(task.as_prompted(), model).endswith("(classification, format: prompt)")
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    assert why_unexplained(task, model).endswith('install it with: pip install "equipoise[explain]"')


def test_the_report_shows_them(trusted):
    page = (trusted.folder / "report.html").read_text(encoding="utf-8")
    assert "Mistakes on test" in page
    assert 'aria-label="Table of confusions of polarity"' in page
    assert "Wrong is: off by more than a quarter of the labels&#39; range." in page
    assert "On test the model reaches" in page
    assert page.count('<mark class="for share-10"') + page.count('<mark class="against share-10"') > 20
    assert '<label for="by-true-1">label</label>' in page


READS = "s", "text", None, "label"


@pytest.mark.parametrize(
    ("task", "prediction", "shown"),
    [
        (Classification("t", *READS, "macro_f1", ("no", "yes")), [0.25, 0.75], "yes (0.75)"),
        (Ordinal("t", *READS, "qwk", ("low", "mid", "high")), [0.4, 0.35, 0.25], "mid (0.35)"),
        (Regression("t", *READS, "pearson"), 0.12345, "0.123"),
        (Multilabel("t", *READS, "macro_f1", ("joy", "fear"), thresholds=(0.5, 0.5)), [0.9, 0.6], "joy, fear"),
        (Multilabel("t", *READS, "macro_f1", ("joy", "fear"), thresholds=(0.5, 0.5)), [0.1, 0.2], "none"),
    ],
)
def test_answers_are_written_for_people(task, prediction, shown):
    assert task.show_answer(np.asarray(prediction)) == shown


def test_lists_are_written_for_people():
    task = Extraction("t", *READS, "extraction_f1", ("bad", "good"))
    found = '[{"term": "battery", "start": 0, "end": 7, "polarity": "good", "score": 0.9}]'
    assert task.show_answer(found) == "battery – good"
    assert task.show_label("[]") == "none"
    assert (task.classes_answered(found), task.classes_in("[]")) == (("good",), ())
    assert make_analysis(task).confusion(np.array([found], object), np.array([found], object)) is None


def record(model, task, metric, value, low=None):
    high = None if low is None else 2 * value - low
    return {"split": "test", "subset": "all", "model": model, "task": task, "metric": metric} | {
        "value": value,
        "low": low,
        "high": high,
        "n": 100,
    }


def test_conclusions_follow_from_the_figures():
    tasks = {name: Classification(name, *READS, "macro_f1", ("no", "yes")) for name in ("tone", "irony")}
    records = [
        record("run", "tone", "macro_f1", 0.8, 0.7),
        record("majority", "tone", "macro_f1", 0.4),
        record("run", "irony", "macro_f1", 0.45, 0.35),
        record("majority", "irony", "macro_f1", 0.4),
        record("run", "tone", "coverage_90", 0.87),
    ]
    tone = {"classes": ["no", "yes"], "confusion": [[50, 10], [5, 35]]}
    irony = {"classes": ["no", "yes"], "confusion": [[90, 5], [2, 3]]}
    assert conclude(records, tasks, {"tone": tone, "irony": irony}, "test") == [
        "On test the model reaches macro-F1 0.80 on tone, macro-F1 0.45 on irony; on irony it is not told from always "
        "giving the most frequent answer.",
        "Sets and intervals that should hold the truth in 90 % of the cases hold it in 87 % (tone).",
        "Most often mistaken: no for yes (tone), in 10 of 60 rows.",
    ]
    assert conclude([], tasks, {}, "test") == []


@pytest.mark.parametrize(("tasks", "rows"), [(1, 5), (6, 5), (7, 4), (20, 1), (100, 1)])
def test_with_many_tasks_fewer_rows_of_each_are_explained(tasks, rows):
    assert finding._rows_for(tasks) == rows
