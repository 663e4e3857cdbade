from dataclasses import replace

import numpy as np
import pytest

from equipoise.evolution.fitness import Folds, score_by_folds
from equipoise.kinds import Classification, Regression

COMMON = ("source", "text", None, "label")
TASKS = {
    "kind": Classification("kind", *COMMON, "accuracy", ("a", "b")),
    "score": Regression("score", *COMMON, "pearson", None),
}


class Rows:
    """A table of ten rows; `kind` has labels on the even ones, `score` on all."""

    def rows(self, task, split):
        return np.arange(0, 10, 2) if task == "kind" else np.arange(10)

    def labels(self, task, split):
        return np.array([0, 1, 0, 1, 1]) if task == "kind" else np.arange(10.0)


@pytest.fixture
def folds():
    return Folds.draw(Rows(), TASKS, "train", {"kind": np.arange(4), "score": np.arange(10)}, folds=3, seed=0)


def test_folds_share_rows_out(folds):
    assert len(folds) == 3
    assert [folds.count(number) for number in range(4)] == [0, 6, 10, 14]
    rows = np.concatenate([fold["kind"] for fold in folds.rows])
    assert sorted(rows.tolist()) == [0, 2, 4, 6]
    for rows, gold in zip(folds.rows, folds.gold, strict=True):
        assert gold["score"].tolist() == rows["score"].tolist()


def answer(rows):
    """Right scores, and class a for all."""
    return {"kind": np.array([[0.9, 0.1]] * len(rows["kind"])), "score": rows["score"] * 2.0}


def test_a_candidate_that_is_never_pruned_is_scored_on_all_rows(folds):
    asked = []
    found = score_by_folds(folds, answer, lambda fold, score: asked.append((fold, score)) or True)
    assert [fold for fold, _ in asked] == [0, 1, 2]
    assert found.rows == 14
    # Two of the four are of class a; the scores are perfectly correlated.
    assert found.tasks == {"kind": 0.5, "score": pytest.approx(1)}
    assert found.run_score == pytest.approx(0.75)
    assert found.folds == tuple(score for _, score in asked)


def test_a_candidate_is_scored_by_the_f1_of_a_named_class(folds):
    named = TASKS["kind"].replace(metric="f1(a)", metric_classes=("a",))
    found = score_by_folds(replace(folds, tasks={"kind": named}), answer, lambda fold, score: True)
    # Two of the four are of class a, and all four are called so.
    assert found.tasks == {"kind": pytest.approx(2 * 2 / (4 + 2))}


def test_a_candidate_that_is_behind_is_pruned(folds):
    found = score_by_folds(folds, answer, lambda fold, score: fold < 1)
    assert (len(found.folds), found.rows) == (2, 10)
    whole = score_by_folds(folds, answer, lambda fold, score: True)
    assert found.folds == whole.folds[:2]


def test_negative_correlations_count_as_zero(folds):
    found = score_by_folds(
        folds, lambda rows: {**answer(rows), "score": -rows["score"] * 1.0}, lambda fold, score: True
    )
    assert found.tasks["score"] == 0
