"""What is computed from the test items: regions of scores, classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Classification, Multilabel, Regression, Task

REGIONS = ("negative", "neutral", "positive")


def describe_parts(task: Task, gold: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Return a task's classes, or the thirds of its label range, with their numbers of items; texts have no parts."""
    if not isinstance(task, Regression):
        return [{"name": name, "items": items} for name, items in task.count(gold).items()]
    edges = _edges(task, gold)
    which = _regions(task, gold)
    return [
        {"name": name, "low": edges[i], "high": edges[i + 1], "items": int((which == i).sum())}
        for i, name in enumerate(REGIONS)
    ]


def score_parts(task: Task, gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> list[dict[str, float | None]]:
    """Return recall and F1 of each class, or the MSE of each third of the label range, averaged over seeds.

    A class or region without items has no value.

    Args:
        task: the task.
        gold: the labels, as `Table.labels` returns them.
        predictions: shape (seeds, n) or (seeds, n, classes); of multilabel tasks 0 and 1.
    """
    if isinstance(task, Classification):
        chosen = predictions.argmax(axis=2)
        return [_class_scores(chosen == number, gold == number) for number in range(len(task.classes))]
    if isinstance(task, Multilabel):
        return [_class_scores(predictions[:, :, i] > 0, gold[:, i] > 0) for i in range(len(task.classes))]
    if not isinstance(task, Regression):
        return []
    errors = ((predictions - gold) ** 2).mean(axis=0)
    which = _regions(task, gold)
    return [{"mse": _mean(errors[which == region])} for region in range(len(REGIONS))]


def _class_scores(chosen: npt.NDArray[np.bool_], gold: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    if not gold.any():
        return {"recall": None, "f1": None}
    hits = (chosen & gold).sum(axis=1)
    return {
        "recall": float(np.mean(hits / gold.sum())),
        "f1": float(np.mean(2 * hits / (chosen.sum(axis=1) + gold.sum()))),
    }


def _edges(task: Task, gold: npt.NDArray[Any]) -> Sequence[float]:
    assert isinstance(task, Regression)
    low, high = task.range or (float(gold.min()), float(gold.max()))
    return [low, low + (high - low) / 3, low + 2 * (high - low) / 3, high]


def _regions(task: Task, gold: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    return np.searchsorted(_edges(task, gold)[1:3], gold, side="right")


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
