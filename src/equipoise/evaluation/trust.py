"""How far a model's answers can be trusted, in figures: coverage of its sets, and the risk of its surest answers."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from equipoise.data import Table
from equipoise.kinds import Task
from equipoise.predicting import make_sets

from .records import Record
from .scoring import make_record, mean_records
from .splits import UNCALIBRATED, Predictions
from .statistics import Estimate

LEVELS = (0.8, 0.9, 0.95)
"""The levels at which coverage is measured."""
_BINS = 10
_POINTS = 100
_FEWEST = 10
"""A bin of fewer answers says nothing, and is left out."""


class TrustCurves(TypedDict):
    """A task's curves on test, "before" calibration, where there is one, and "after" it.

    `reliability` holds for bins of confidence with ten answers or more its mean, the share of right ones, and all;
    `risk` for some shares of the answers, the surest first, the share of wrong ones among them.
    """

    reliability: dict[str, list[list[float]]]
    risk: dict[str, list[list[float]]]


def score_trust(
    predictions: Predictions, table: Table, split: str, *, bootstrap: int = 0, seed: int = 0
) -> list[Record]:
    """Score sets, intervals and confidences on a split that the model was not calibrated on.

    Metrics are `coverage_90`, the share of labels that sets and intervals at 0.9 hold, with `set_size_90` or
    `interval_width_90`; and `aurc`, the area under the risk–coverage curve (Geifman and El-Yaniv 2017, arXiv
    1705.08500), before calibration also in rows of the model "uncalibrated".

    Args:
        predictions: as `predict_split` returns them, not calibrated.
        table: the table; its tasks are calibrated.
        split: the split's name.
        bootstrap: resamples behind the intervals.
        seed: seed of the resamples.
    """
    records: list[Record] = []
    for name, raw in predictions.items():
        task, gold = table.tasks[name], table.labels(name, split)
        if not task.is_calibrated:
            continue
        found = task.calibrate(raw)
        values: dict[str, npt.NDArray[np.float64]] = {}
        for level in LEVELS:
            if task.conformity and task.conformity.bounds(task.set_methods[0], level) is not None:
                sets, percent = make_sets(task, found, level), round(100 * level)
                values[f"coverage_{percent}"] = task.covers(sets, gold)
                values[f"{task.size_metric}_{percent}"] = task.sizes(sets)
        records += mean_records(values, split=split, model="run", task=name, bootstrap=bootstrap, seed=seed)
        if task.has_confidence:
            for model, (one, shown) in _stages(task, raw).items():
                area = area_under_risk(*_answers(one, shown, gold))
                records.append(make_record(split, model, name, "aurc", Estimate(area, None, None), len(gold)))
    return records


def trust_curves(predictions: Predictions, table: Table, split: str) -> dict[str, TrustCurves]:
    """Return the curves of the tasks whose answers have a confidence.

    Args:
        predictions: as `predict_split` returns them, not calibrated.
        table: the table.
        split: the split's name.
    """
    curves: dict[str, TrustCurves] = {}
    names = {UNCALIBRATED: "before", "run": "after"}
    for name, raw in predictions.items():
        task, gold = table.tasks[name], table.labels(name, split)
        if not (task.is_calibrated and task.has_confidence):
            continue
        curves[name] = TrustCurves(reliability={}, risk={})
        for model, (one, found) in _stages(task, raw).items():
            confidence, right = _answers(one, found, gold)
            curves[name]["reliability"][names[model]] = _reliability(confidence, right)
            curves[name]["risk"][names[model]] = _risk_points(confidence, right)
    return curves


def area_under_risk(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Return the mean, over all numbers of answers, of the share of wrong ones among the surest; 0 is the best.

    Args:
        confidence: of each answer, shape (n,); equal ones share their risk.
        right: whether it is right.
    """
    return float(_risks(confidence, right).mean())


def _stages(task: Task, raw: npt.NDArray[Any]) -> Mapping[str, tuple[Task, npt.NDArray[Any]]]:
    """Return the task and its predictions before calibration, where there is one, and after it."""
    stages = {"run": (task, task.calibrate(raw))}
    return stages if task.calibration is None else {UNCALIBRATED: (task.without_calibration(), raw), **stages}


def _answers(
    task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    return task.confidences(predictions).ravel(), task.is_right(predictions, gold).ravel()


def _risks(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the share of wrong answers among the k surest, for each k; among equals it is that of all of them."""
    order = np.argsort(-confidence, kind="stable")
    _, group, sizes = np.unique(-confidence[order], return_inverse=True, return_counts=True)
    wrong = np.bincount(group, weights=~right[order]) / sizes
    return np.asarray(np.cumsum(wrong[group]) / np.arange(1, len(order) + 1))


def _risk_points(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> list[list[float]]:
    risks = _risks(confidence, right)
    places = np.unique(np.linspace(1, len(risks), min(_POINTS, len(risks))).round().astype(int))
    return [[round(place / len(risks), 4), round(float(risks[place - 1]), 5)] for place in places]


def _reliability(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> list[list[float]]:
    which = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    points = []
    for number in np.unique(which):
        own = which == number
        if own.sum() < _FEWEST:
            continue
        points.append([round(float(confidence[own].mean()), 5), round(float(right[own].mean()), 5), float(own.sum())])
    return points
