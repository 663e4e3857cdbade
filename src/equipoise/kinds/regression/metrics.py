"""Metrics of regression."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import Floats, Metric, Statistic, mean_metric

# A variance below this share of the mean square is rounding, not variation.
_ROUNDING = 1e-12


def squared_errors(gold: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Floats:
    """Return the squared error of each row."""
    return np.asarray((scores - gold) ** 2, dtype=np.float64)


def absolute_errors(gold: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Floats:
    """Return the absolute error of each row."""
    return np.asarray(np.abs(scores - gold), dtype=np.float64)


def pearson(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    """Prepare Pearson's correlation; 0 by definition where gold or scores are constant."""
    x, y = _standardize(gold), _standardize(scores)
    columns = np.stack([x, y, x * x, y * y, x * y], axis=1)

    def statistic(counts: Floats) -> Floats:
        x, y, xx, yy, xy = (counts @ columns / counts.sum(axis=1, keepdims=True)).T
        return _correlation(xy - x * y, _variance(xx, x), _variance(yy, y))

    return statistic


def spearman(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    """Prepare Spearman's correlation: Pearson's of the ranks within the resample, ties at their mean rank."""
    rank_gold, rank_scores = _ranker(gold), _ranker(scores)

    def statistic(counts: Floats) -> Floats:
        x, y = rank_gold(counts), rank_scores(counts)
        xy, xx, yy = (np.einsum("bn,bn,bn->b", counts, a, b) for a, b in ((x, y), (x, x), (y, y)))
        return _correlation(xy, xx, yy)

    return statistic


def cosine(gold: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Statistic:
    """Prepare the cosine of gold and predicted scores; 0 by definition where all of either are 0.

    It is the weighted cosine of SemEval-2017 task 5 (Cortis et al. 2017), whose weight, the share of texts that are
    answered, is 1: a model answers all.
    """
    x, y = (values / (np.abs(values).max() or 1.0) for values in (gold.astype(np.float64), scores.astype(np.float64)))
    columns = np.stack([x * x, y * y, x * y], axis=1)

    def statistic(counts: Floats) -> Floats:
        xx, yy, xy = (counts @ columns).T
        return _correlation(xy, xx, yy)

    return statistic


def _standardize(values: npt.NDArray[Any]) -> Floats:
    """Shift and scale to mean 0 and variance 1, so that sums of squares lose no digits."""
    if np.ptp(values) == 0:
        return np.zeros(len(values))
    values = values - values.mean(dtype=np.float64)
    return values / values.std()


def _variance(mean_square: Floats, mean: Floats) -> Floats:
    variance = mean_square - mean**2
    return np.where(variance > _ROUNDING * mean_square, variance, 0.0)


def _correlation(covariance: Floats, variance_x: Floats, variance_y: Floats) -> Floats:
    scale = np.sqrt(variance_x) * np.sqrt(variance_y)
    correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.clip(correlation, -1.0, 1.0)


def _ranker(values: npt.NDArray[Any]) -> Callable[[Floats], Floats]:
    """Return a function from counts to every row's rank within each resample, mean rank 0."""
    order = np.argsort(values, kind="stable")
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(sizes) - sizes

    def rank(counts: Floats) -> Floats:
        drawn = np.add.reduceat(counts[:, order], first, axis=1)
        below = np.cumsum(drawn, axis=1) - drawn
        centre = counts.sum(axis=1, keepdims=True) / 2
        return (below + drawn / 2 - centre)[:, group]

    return rank


METRICS = {
    "pearson": Metric("Pearson r", True, pearson),
    "spearman": Metric("Spearman ρ", True, spearman),
    "cosine": Metric("cosine", True, cosine),
    "mse": mean_metric("MSE", False, squared_errors),
    "mae": mean_metric("MAE", False, absolute_errors),
}
