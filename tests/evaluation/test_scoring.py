import json

import numpy as np
import pytest

from equipoise.errors import ModelError
from equipoise.evaluation import run_score, score_task
from equipoise.kinds import Multilabel


def score(task, predictions, gold, **options):
    return score_task(task, predictions, gold, **{"split": "test", "model": "run", **options})


def test_records_without_intervals(intensity):
    records = score(intensity, [0.0, 1.0, 3.0], [0.0, 1.0, 2.0])
    assert [record["metric"] for record in records] == ["pearson", "spearman", "mse", "mae"]
    assert records[2] == {
        "split": "test",
        "subset": "all",
        "model": "run",
        "task": "intensity",
        "metric": "mse",
        "value": pytest.approx(1 / 3),
        "low": None,
        "high": None,
        "n": 3,
    }


def test_records_are_json(polarity):
    records = score(polarity, np.eye(3), np.arange(3), bootstrap=100)
    assert json.loads(json.dumps(records)) == records


def test_the_interval_is_deterministic_by_seed(intensity):
    generator = np.random.default_rng(0)
    gold, noise = generator.normal(size=(2, 50))
    one, same, other = (score(intensity, gold + noise, gold, bootstrap=100, seed=seed) for seed in (3, 3, 4))
    assert one == same
    assert one[0]["low"] != other[0]["low"]


def test_the_interval_does_not_depend_on_the_chunk(intensity, monkeypatch):
    gold = np.arange(40.0)
    whole = score(intensity, gold**2, gold, bootstrap=100)
    monkeypatch.setattr("equipoise.evaluation.scoring._CHUNK", 40 * 7)
    assert score(intensity, gold**2, gold, bootstrap=100) == whole


def test_the_interval_of_accuracy_agrees_with_the_binomial(polarity):
    gold = np.zeros(400, dtype=int)
    predictions = np.eye(3)[(np.arange(400) % 4 == 0).astype(int)]
    accuracy = score(polarity, predictions, gold, bootstrap=4000)[1]
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert accuracy["value"] == 0.75
    assert accuracy["low"] == pytest.approx(0.75 - half, abs=0.006)
    assert accuracy["high"] == pytest.approx(0.75 + half, abs=0.006)


def test_the_interval_covers_the_truth_about_as_often_as_it_says(intensity):
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(100):
        gold = generator.normal(size=80)
        scores = 0.6 * gold + 0.8 * generator.normal(size=80)
        pearson = score(intensity, scores, gold, bootstrap=300)[0]
        covered += pearson["low"] <= 0.6 <= pearson["high"]
    assert 88 <= covered <= 99


def test_constant_predictions_give_a_correlation_of_zero_with_interval(intensity):
    pearson = score(intensity, np.full(5, 0.1), np.arange(5.0), bootstrap=100)[0]
    assert (pearson["value"], pearson["low"], pearson["high"]) == (0.0, 0.0, 0.0)


def test_subsets_skip_none_and_single_rows(intensity):
    domain = np.array(["b", "a", "b", None, "a", "alone"], dtype=object)
    gold = np.arange(6.0)
    records = score(intensity, gold + np.array([0, 1, 0, 0, 1, 0]), gold, subsets={"domain": domain})
    mse = {record["subset"]: (record["value"], record["n"]) for record in records if record["metric"] == "mse"}
    assert mse == {"all": (pytest.approx(1 / 3), 6), "domain=a": (1.0, 2), "domain=b": (0.0, 2)}


def test_subsets_keep_the_twenty_most_frequent_values(intensity):
    values = np.repeat([f"v{i:02}" for i in range(25)], [2] * 5 + [3] * 20)
    records = score(intensity, np.arange(70.0), np.arange(70.0), subsets={"year": values})
    subsets = {record["subset"] for record in records} - {"all"}
    assert subsets == {f"year=v{i:02}" for i in range(5, 25)}


def test_a_subset_without_some_classes(polarity):
    gold = np.array([0, 0, 1, 2])
    records = score(polarity, np.eye(3)[gold], gold, subsets={"d": np.array(["x", "x", "y", "y"])}, bootstrap=100)
    best = {"macro_f1": 1.0, "accuracy": 1.0, "ece": 0.0, "brier": 0.0}
    assert all(record["value"] == record["low"] == record["high"] == best[record["metric"]] for record in records)


def test_a_prediction_that_is_nan_is_refused(intensity):
    with pytest.raises(ModelError, match="task 'intensity', dev: found a prediction that is NaN"):
        score(intensity, [0.0, float("nan")], [0.0, 1.0], split="dev")


def test_shapes_that_do_not_fit_are_refused(intensity, polarity):
    with pytest.raises(ValueError, match="task 'intensity'"):
        score(intensity, [0.0, 1.0], [0.0])
    with pytest.raises(ValueError, match="task 'intensity'"):
        score(intensity, [], [])
    with pytest.raises(ValueError, match="task 'polarity'"):
        score(polarity, [0.0, 1.0], [0, 1])
    with pytest.raises(ValueError, match="'domain' has 1 values"):
        score(intensity, [0.0, 1.0], [0.0, 1.0], subsets={"domain": np.array(["a"])})


def test_run_score_is_the_mean_of_primary_metrics_clipped_at_zero(intensity, polarity):
    tasks = {"intensity": intensity, "polarity": polarity}
    domain = {"domain": np.array(["a", "a", "b"])}
    good = score(polarity, np.eye(3), np.arange(3), subsets=domain)
    reversed_ = score(intensity, [2.0, 1.0, 0.0], [0.0, 1.0, 2.0], subsets=domain)
    half = score(intensity, [0.0, 2.0, 1.0], [0.0, 1.0, 2.0], subsets=domain)
    assert run_score(good + reversed_, tasks) == 0.5
    assert run_score(good + half, tasks) == pytest.approx(0.75)
    assert run_score(good, tasks | {"intensity": intensity.replace(auxiliary=True)}) == 1.0


def test_run_score_refuses_missing_and_mixed_records(intensity, polarity):
    records = score(intensity, [0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="task 'polarity': found 0 records of macro_f1"):
        run_score(records, {"intensity": intensity, "polarity": polarity})
    with pytest.raises(ValueError, match="task 'intensity': found 2 records"):
        run_score(records * 2, {"intensity": intensity})


def test_labels_apply_from_their_thresholds_on():
    task = Multilabel("emotions", "s", "text", None, "label", "macro_f1", ("a", "b"), thresholds=(0.3, 0.7))
    gold = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    probabilities = np.array([[0.3, 0.6], [0.2, 0.7], [0.9, 0.9], [0.1, 0.6]])
    records = score(task, probabilities, gold, bootstrap=100)
    assert [(record["metric"], record["value"], record["n"]) for record in records[:3]] == [
        *(("macro_f1", 1.0, 4), ("micro_f1", 1.0, 4), ("jaccard", 1.0, 4))
    ]
    # Of the probabilities, whatever the thresholds.
    brier = (0.7**2 + 0.6**2 + 0.2**2 + 0.3**2 + 2 * 0.1**2 + 0.1**2 + 0.6**2) / 8
    assert [(record["metric"], record["value"]) for record in records[4:]] == [("brier", pytest.approx(brier))]
    halves = score(task.replace(thresholds=(0.5, 0.5)), probabilities, gold)
    # a: one of two found; b: two found, two too many.
    assert [record["value"] for record in halves[:3]] == pytest.approx([2 / 3, 2 / 3, (0 + 1 + 1 + 0) / 4])
