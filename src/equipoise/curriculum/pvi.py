"""Pointwise V-information: how many bits the features give about an example's label."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.kinds import PENALTIES, Analysis, Fold, Task, make_analysis

from .ranks import Floats

FOLDS = 5


class Pvi(NamedTuple):
    """The PVI of a task's examples.

    Args:
        values: bits, shape (rows,); low is hard, below zero the features speak against the label.
        penalty: the probes' penalty.
        folds: the cross-fitted probes' predictions.
    """

    values: Floats
    penalty: float
    folds: Sequence[Fold]


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
    from sklearn.model_selection import GroupKFold

    splits = list(GroupKFold(folds, shuffle=True, random_state=seed).split(features, groups=groups))
    best: Pvi | None = None
    analysis = make_analysis(task)
    for penalty in PENALTIES:
        fitted = _cross_fit(analysis, features, labels, splits, penalty)
        found = Pvi(analysis.information(labels, fitted), penalty, fitted)
        if best is not None and found.values.mean() <= best.values.mean():
            break
        best = found
    return best


def _cross_fit(
    analysis: Analysis, features: Floats, labels: npt.NDArray[Any], splits: Sequence[Any], penalty: float
) -> list[Fold]:
    folds = []
    for known, held_out in splits:
        probe = analysis.make_probe(penalty).fit(features[known], labels[known])
        folds.append(Fold(known, held_out, probe.predict(features[held_out])))
    return folds
