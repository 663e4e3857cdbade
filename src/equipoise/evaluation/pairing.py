"""Paired tests of models on the same test items, task by task."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Task, make_metric

from .statistics import bootstrap_means, holm, sign_flip_test, with_interval


class Items(NamedTuple):
    """A task's test items.

    Args:
        task: the task.
        gold: the labels, as `Table.labels` returns them.
        predictions: by row those of every seed, shape (seeds, n) or (seeds, n, classes); of multilabel tasks 0 and 1.
    """

    task: Task
    gold: npt.NDArray[Any]
    predictions: Mapping[str, npt.NDArray[Any]]


def item_losses(task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return each item's loss by `task.item_metric`, shape (n,): an error as it is, a score taken from 1."""
    metric = make_metric(task, task.item_metric)
    assert metric.items is not None
    values = metric.items(gold, predictions)
    return 1 - values if metric.higher_is_better else values


def paired_tests(reference: str, tasks: Mapping[str, Items]) -> list[dict[str, Any]]:
    """Test every row's losses against a reference row's, task by task, Holm-corrected over all of them.

    The test is on predictions averaged over seeds, or on losses averaged over seeds where predictions have no average
    (labels, texts); difference and ratio are of losses averaged over seeds, as in the table.

    Args:
        reference: the row to compare with.
        tasks: the items by task.
    """
    tests: list[dict[str, Any]] = []
    for name, (task, gold, predictions) in tasks.items():
        others = [row for row in predictions if row != reference]
        if not others or reference not in predictions:
            continue
        losses = {
            row: np.stack([item_losses(task, one, gold) for one in values]) for row, values in predictions.items()
        }
        averaged = {row: of_seeds.mean(axis=0) for row, of_seeds in losses.items()}
        if task.averages_seeds:
            averaged = {row: item_losses(task, values.mean(axis=0), gold) for row, values in predictions.items()}
        p_values = sign_flip_test(np.stack([averaged[row] - averaged[reference] for row in others], axis=1))
        means = dict(zip(losses, bootstrap_means(list(losses.values())), strict=True))
        base = float(losses[reference].mean())
        for row, p_value in zip(others, p_values, strict=True):
            value = float(losses[row].mean())
            ratio = None
            if (means[reference] > 0).all():
                ratio = with_interval(value / base, means[row] / means[reference])._asdict()
            tests.append(
                {
                    "row": row,
                    "task": name,
                    "difference": with_interval(value - base, means[row] - means[reference])._asdict(),
                    "ratio": ratio,
                    "p": float(p_value),
                }
            )
    for test, corrected in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = corrected
    return tests
