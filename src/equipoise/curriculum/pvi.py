"""Pointwise V-information: how many bits the features give about an example's label."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from equipoise.kinds import Classification, Multilabel, Regression, Task
from equipoise.modeling import PENALTIES, LinearProbe

from .ranks import Floats

FOLDS = 5


class Pvi(NamedTuple):
    """The PVI of a task's examples.

    Args:
        values: bits, shape (rows,); low is hard, below zero the features speak against the label.
        penalty: the probes' penalty.
    """

    values: Floats
    penalty: float


def measure_pvi(
    task: Task, features: Floats, labels: npt.NDArray[Any], texts: Sequence[str], seed: int = 0, folds: int = FOLDS
) -> Pvi | None:
    """Measure PVI (Ethayarajh, Choi and Swayamdipta, 2022, arXiv 2110.08420): log₂ p(y|x) − log₂ p_null(y).

    In the paper both models are fine-tuned language models, the null one on empty inputs, and PVI is given for held-out
    examples. Here, our design, p is a linear probe on frozen features, of a normal distribution about its prediction
    for scores; the null model is the share of the label (the normal distribution of the labels); and both are
    cross-fitted: no example is scored by a model that has seen its label, or its text with another one. So that no
    probability is zero, a label's share counts one example more of each class, and of n examples that the probe has
    learnt from, one more says what the null model says. A multilabel example's bits are summed over the labels. Of
    `PENALTIES`, from the strongest on, the last before the mean over all examples falls is taken.

    Args:
        task: the task, its label space resolved; not generation.
        features: rows × width.
        labels: as `Table.labels` returns them.
        texts: the rows' texts.
        seed: seed of the folds.
        folds: how many; fewer where there are fewer texts.

    Returns:
        The values; None where all examples have one text.
    """
    groups = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)[1]
    folds = min(folds, int(groups.max()) + 1)
    if folds < 2:
        return None
    splits = list(GroupKFold(folds, shuffle=True, random_state=seed).split(features, groups=groups))
    best: Pvi | None = None
    for penalty in PENALTIES:
        found = Pvi(_cross_fit(task, features, labels, splits, penalty), penalty)
        if best is not None and found.values.mean() <= best.values.mean():
            break
        best = found
    return best


def _cross_fit(task: Task, features: Floats, labels: npt.NDArray[Any], splits: Sequence[Any], penalty: float) -> Floats:
    shape = labels.shape if not isinstance(task, Classification) else (len(labels), len(task.classes))
    predicted, null, spread = np.empty(shape), np.empty(shape), np.empty(len(labels))
    for known, held_out in splits:
        probe = LinearProbe(task, penalty).fit(features[known], labels[known])
        predicted[held_out] = probe.predict(features[held_out])
        seen, n = labels[known], len(known)
        if isinstance(task, Regression):
            null[held_out], spread[held_out] = seen.mean(), seen.std()
            continue
        if isinstance(task, Classification):
            null[held_out] = (np.bincount(seen, minlength=shape[1]) + 1) / (n + shape[1])
        else:
            null[held_out] = (seen.sum(axis=0) + 1) / (n + 2)
        predicted[held_out] = (n * predicted[held_out] + null[held_out]) / (n + 1)
    if isinstance(task, Regression):
        error = max(float(np.sqrt(np.mean((labels - predicted) ** 2))), 1e-6 * task.std)
        return _log_normal(labels, predicted, error) - _log_normal(labels, null, np.maximum(spread, 1e-6 * task.std))
    if isinstance(task, Multilabel):
        of_label, of_null = (np.where(labels == 1, chance, 1 - chance) for chance in (predicted, null))
        return np.log2(of_label / of_null).sum(axis=1)
    each = np.arange(len(labels))
    return np.log2(predicted[each, labels] / null[each, labels])


def _log_normal(values: Floats, mean: Floats, deviation: Any) -> Floats:
    """Return the logarithm to base 2 of the normal density."""
    logarithm = -0.5 * ((values - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
    return np.asarray(logarithm / np.log(2))
