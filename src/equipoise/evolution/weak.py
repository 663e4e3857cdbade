"""Weak data: the training rows that an expert gets wrong, or is least sure of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.errors import DataError
from equipoise.kinds import Task, make_analysis

_SURE = 0.05
"""An expert is sure of a row it gets right if it gives the label 1 − 0.05, or misses a score by 0.05 of the range."""


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
    the expert is as sure of another class as it is, on average, of rows of that class, and at least 2/3 sure (confident
    learning, Northcutt, Jiang and Chuang 2019, arXiv 1911.00068; there predictions are out of sample; of rows the
    expert has learnt from, what it knows by heart is not suspected), and where a score is missed by more than five
    robust standard deviations. An expert at chance suspects nothing.

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
    analysis = make_analysis(task)
    losses = analysis.distance(predictions, gold)
    wrong = analysis.is_wrong(predictions, gold)
    suspected = np.flatnonzero(analysis.is_noise(predictions, gold))
    usable = np.ones(len(gold), bool)
    if drop_noise:
        usable[suspected] = False
    count = min(rows, int(usable.sum()))
    generator = np.random.default_rng(seed)
    hard = _draw_hardest(losses, usable & (wrong | (losses > _SURE)), round(share * count), generator)
    if round(share * count) and not len(hard):
        raise DataError(
            f"task '{task.name}': found no weak data: its expert errs on none of {len(gold)} training rows and is sure "
            "of all; train it for fewer epochs, or set merge.weak.share: 0 to score merges on rows drawn at random."
        )
    chosen = np.zeros(len(gold), bool)
    chosen[hard] = True
    rest = generator.permutation(np.flatnonzero(usable & ~chosen))[: count - len(hard)]
    chosen[rest] = True
    return WeakRows(np.flatnonzero(chosen), len(hard), int(wrong.sum()), suspected)


def _draw_hardest(
    losses: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_], most: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the allowed rows of the highest losses; ties, as among texts that are missed entirely, are drawn."""
    order = generator.permutation(len(losses))
    order = order[np.argsort(-losses[order], kind="stable")]
    return order[allowed[order]][:most]
