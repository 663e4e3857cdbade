"""Choosing a linear probe by dev."""

from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import PENALTIES, LinearProbe, Task, make_analysis, make_metric

Floats = npt.NDArray[np.float64]


def choose_probe(
    task: Task, train: tuple[Floats, npt.NDArray[Any]], dev: tuple[Floats, npt.NDArray[Any]]
) -> LinearProbe:
    """Fit a probe for each of `PENALTIES` and return the one that is best on dev by the primary metric.

    Thresholds of a multilabel task are tuned on dev, as after training. At a tie the stronger penalty wins.

    Args:
        task: the task, its label space resolved.
        train: features (rows × width) and labels to learn from.
        dev: the same to choose by.
    """
    features, gold = dev
    best, highest = None, -np.inf
    for penalty in PENALTIES:
        probe = make_analysis(task).make_probe(penalty).fit(*train)
        predictions = probe.predict(features)
        value = make_metric(task, task.metric)(gold, task.tune(predictions, gold).decide(predictions))
        if value > highest:
            best, highest = probe, value
    assert best is not None  # no metric is NaN
    return best
