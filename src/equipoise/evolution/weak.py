"""Weak data: the training rows that an expert gets wrong, or is least sure of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import DataError
from equipoise.evaluation import item_losses
from equipoise.kinds import Classification, Generation, Multilabel, Task

_SURE = 0.05
"""An expert is sure of a row it gets right if it gives the label 1 − 0.05, or misses a score by 0.05 of the range."""
_MISSED = 0.25
"""A score is wrong that is off by more than a quarter of the labels' range."""
_SPREADS = 5.0
"""A score is suspected from so many robust standard deviations on."""


@dataclass(frozen=True)
class WeakRows:
    """The rows of one task that candidates are scored on.

    Args:
        rows: indices into the task's labelled training rows, ascending.
        weak: how many of them the expert gets wrong or is least sure of; the others are drawn at random.
        wrong: on how many training rows the expert errs.
        suspected: indices of the training rows whose label the expert contradicts with confidence.
    """

    rows: npt.NDArray[np.int64]
    weak: int
    wrong: int
    suspected: npt.NDArray[np.int64]


def mine_weak(
    task: Task,
    predictions: npt.NDArray[Any],
    gold: npt.NDArray[Any],
    *,
    rows: int,
    share: float,
    drop_noise: bool,
    seed: int,
) -> WeakRows:
    """Choose the training rows of a task that a merge is judged by.

    A share of them is weak, the hardest first: rows the expert gets wrong, then those it is least sure of. The others
    are drawn at random from the rest, so that a candidate is also asked what the expert knows (our design; MEM-MCL,
    arXiv 2601.06780, merges by the experts' errors alone, which rewards label noise). Label noise is suspected where
    the expert is as sure of another class as it is, on average, of rows of that class (confident learning, Northcutt,
    Jiang and Chuang 2019, arXiv 1911.00068; there predictions are out of sample; of rows the expert has
    learnt from, what it knows by heart is not suspected), and where a score is missed by more than five robust standard
    deviations.

    Args:
        task: the task, with its label space.
        predictions: its expert's predictions on the training rows, as `predict_split` returns them.
        gold: the labels, as `Table.labels` returns them.
        rows: how many rows to choose; all, if there are fewer.
        share: the share of weak ones.
        drop_noise: leave suspected rows out.
        seed: of the draw.

    Raises:
        DataError: no row is weak.
    """
    losses = _hardness(task, predictions, gold)
    wrong = _wrong(task, predictions, gold)
    suspected = np.flatnonzero(suspect_noise(task, predictions, gold))
    usable = np.ones(len(gold), bool)
    if drop_noise:
        usable[suspected] = False
    count = min(rows, int(usable.sum()))
    wanted = round(share * count)
    # Ties, as among texts that are missed entirely, are drawn.
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(gold))
    order = order[np.argsort(-losses[order], kind="stable")]
    hard = [index for index in order if usable[index] and (wrong[index] or losses[index] > _SURE)][:wanted]
    if wanted and not hard:
        raise DataError(
            f"task '{task.name}': found no weak data: its expert errs on none of {len(gold)} training rows and is sure "
            "of all; train it for fewer epochs, or set merge.weak.share: 0 to score merges on rows drawn at random."
        )
    chosen = np.zeros(len(gold), bool)
    chosen[hard] = True
    rest = generator.permutation(np.flatnonzero(usable & ~chosen))[: count - len(hard)]
    chosen[rest] = True
    return WeakRows(np.flatnonzero(chosen), len(hard), int(wrong.sum()), suspected)


def suspect_noise(task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Say which labels are suspected to be wrong, shape (n,); see `mine_weak`. Texts never are."""
    if isinstance(task, Generation):
        return np.zeros(len(gold), bool)
    if isinstance(task, Multilabel):
        both = [np.stack([1 - predictions[:, i], predictions[:, i]], axis=1) for i in range(gold.shape[1])]
        return np.any([_contradicted(one, gold[:, i]) for i, one in enumerate(both)], axis=0)
    if isinstance(task, Classification):
        return _contradicted(predictions, gold)
    errors = predictions - gold
    middle = np.median(errors)
    spread = 1.4826 * np.median(np.abs(errors - middle))
    return np.abs(errors - middle) > _SPREADS * max(spread, 1e-12)


def _contradicted(probabilities: npt.NDArray[np.float64], gold: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    classes = probabilities.shape[1]
    bounds = np.array(
        [probabilities[gold == name, name].mean() if (gold == name).any() else np.inf for name in range(classes)]
    )
    above = np.where(probabilities >= bounds, probabilities, -np.inf)
    own = np.arange(len(gold))
    best = above.argmax(axis=1)
    return np.isfinite(above[own, best]) & (best != gold)


def _hardness(task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How far the expert is from each label: 1 − p, the error's share of the scores' range, or what ROUGE-L lacks."""
    if isinstance(task, Multilabel):
        return np.abs(predictions - gold).max(axis=1)
    if isinstance(task, Classification):
        return 1 - predictions[np.arange(len(gold)), gold]
    if isinstance(task, Generation):
        return item_losses(task, predictions, gold)
    width = float(gold.max() - gold.min()) or 1.0
    return np.abs(predictions - gold) / width


def _wrong(task: Task, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    if isinstance(task, Multilabel):
        return (task.decide(predictions) != gold).any(axis=1)
    if isinstance(task, Classification):
        return predictions.argmax(axis=1) != gold
    if isinstance(task, Generation):
        return item_losses(task, predictions, gold) >= 1
    return _hardness(task, predictions, gold) > _MISSED
