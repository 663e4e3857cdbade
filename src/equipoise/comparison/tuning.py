"""Candidates for static weights, and choosing by dev."""

import math
from collections.abc import Iterable, Sequence

from scipy.stats import qmc

from equipoise.config import TrainConfig

from .records import FinishedRecord

WIDEST = 10.0
"""The largest ratio between a task's weight and the first task's; the smallest is its inverse."""
_SHARE = 4
_SEED = 0


def candidate_weights(tasks: Sequence[str], trials: int) -> list[dict[str, float]]:
    """Return the static weights to try: equal ones, then log-uniform ratios to the first task's weight.

    The ratios are a scrambled Sobol sequence's (Owen 1998) with a fixed seed: more trials keep those before
    them (our design).

    Args:
        tasks: the tasks' names.
        trials: how many.
    """
    candidates = [dict.fromkeys(tasks, 1.0)][:trials]
    if trials > 1 and len(tasks) > 1:
        sobol = qmc.Sobol(len(tasks) - 1, scramble=True, seed=_SEED)
        # A power of two: what the sequence is balanced for, and scipy warns of anything else.
        points = sobol.random_base2(math.ceil(math.log2(trials - 1)))[: trials - 1]
        for point in points:
            ratios = [1.0, *(round(float(WIDEST ** (2 * u - 1)), 4) for u in point)]
            candidates.append(dict(zip(tasks, ratios, strict=True)))
    return candidates


def trial_budget(train: TrainConfig) -> TrainConfig:
    """Return the settings of a trial: a quarter of the epochs, and of the steps where these are limited."""
    steps = None if train.max_steps is None else max(1, math.ceil(train.max_steps / _SHARE))
    return train.model_copy(update={"epochs": train.epochs / _SHARE, "max_steps": steps})


def best_on_dev(records: Iterable[FinishedRecord]) -> FinishedRecord | None:
    """Return the record with the best run score on dev, the earliest of equals; None where there is none."""
    return max(records, key=lambda record: record["run_score"]["dev"], default=None)
