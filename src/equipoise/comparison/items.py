"""What is computed from the test items: paired tests, regions of scores, classes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.tasks import Classification, Regression, Task

from .statistics import bootstrap_means, holm, item_losses, sign_flip_test, with_interval

REGIONS = ("negative", "neutral", "positive")


class Items(NamedTuple):
    """A task's test items.

    Args:
        gold: class indices or scores, shape (n,).
        predictions: by row those of every seed, shape (seeds, n) or (seeds, n, classes).
    """

    gold: npt.NDArray[Any]
    predictions: Mapping[str, npt.NDArray[Any]]


def paired_tests(reference: str, tasks: Mapping[str, Items]) -> list[dict[str, Any]]:
    """Test every row's losses against a reference row's, task by task, Holm-corrected over all of them.

    The test is on predictions averaged over seeds; difference and ratio are of losses averaged over seeds, as in the
    table.

    Args:
        reference: the row to compare with.
        tasks: the items by task.
    """
    found: list[dict[str, Any]] = []
    for task, (gold, predictions) in tasks.items():
        others = [row for row in predictions if row != reference]
        if not others or reference not in predictions:
            continue
        averaged = {row: item_losses(values.mean(axis=0), gold) for row, values in predictions.items()}
        p_values = sign_flip_test(np.stack([averaged[row] - averaged[reference] for row in others], axis=1))
        losses = {row: np.stack([item_losses(one, gold) for one in values]) for row, values in predictions.items()}
        means = dict(zip(losses, bootstrap_means(list(losses.values())), strict=True))
        base = float(losses[reference].mean())
        for row, p_value in zip(others, p_values, strict=True):
            value = float(losses[row].mean())
            ratio = None
            if (means[reference] > 0).all():
                ratio = with_interval(value / base, means[row] / means[reference])._asdict()
            found.append(
                {
                    "row": row,
                    "task": task,
                    "difference": with_interval(value - base, means[row] - means[reference])._asdict(),
                    "ratio": ratio,
                    "p": float(p_value),
                }
            )
    for one, corrected in zip(found, holm([one["p"] for one in found]), strict=True):
        one["p_holm"] = corrected
    return found


def describe_parts(task: Task, gold: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """Return a task's classes, or the thirds of its label range, with their numbers of items."""
    if isinstance(task, Classification):
        return [{"name": name, "items": int((gold == number).sum())} for number, name in enumerate(task.classes)]
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
        gold: class indices or scores, shape (n,).
        predictions: shape (seeds, n) or (seeds, n, classes).
    """
    if isinstance(task, Classification):
        chosen = predictions.argmax(axis=2)
        return [_class_scores(chosen == number, gold == number) for number in range(len(task.classes))]
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
