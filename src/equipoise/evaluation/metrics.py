"""The metrics of every task kind, in a form that scores many bootstrap resamples at once.

A resample of n rows is held as how often each row was drawn. A metric is *prepared* with gold and predictions
once, and then maps such counts, shape (resamples, n), to one value a resample, mostly by one matrix product.
Counts of one give the metric itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]

# A variance below this share of the mean square is rounding, not variation.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        label: its name in tables.
        higher_is_better: whether the larger of two values is the better one.
        prepare: maps gold (n,) and predictions, (n, classes) probabilities or (n,) scores, to a function from
            counts (resamples, n) to values (resamples,).
    """

    label: str
    higher_is_better: bool
    prepare: Callable[[npt.NDArray[Any], Floats], Statistic]

    def __call__(self, gold: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
        """Score predictions against gold.

        Args:
            gold: class indices or scores, shape (n,).
            predictions: probabilities, shape (n, classes), or scores, shape (n,).
        """
        gold = np.asarray(gold)
        statistic = self.prepare(gold, np.asarray(predictions, dtype=np.float64))
        return float(statistic(np.ones((1, len(gold))))[0])


def _macro_f1(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    """Prepare the mean over classes of F1.

    The mean runs over the classes that occur in gold or among the predictions of the rows at hand, as in
    scikit-learn's `f1_score(average="macro")`: a class that occurs in neither is left out, not counted as 0.
    """
    n_classes = probabilities.shape[1]
    is_gold = np.eye(n_classes)[gold]
    is_predicted = np.eye(n_classes)[probabilities.argmax(axis=1)]
    columns = np.hstack([is_gold + is_predicted, is_gold * is_predicted])

    def statistic(counts: Floats) -> Floats:
        totals = counts @ columns
        occurrences, hits = totals[:, :n_classes], totals[:, n_classes:]
        f1 = 2 * hits / np.maximum(occurrences, 1)
        return f1.sum(axis=1) / (occurrences > 0).sum(axis=1)

    return statistic


def _accuracy(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    return _mean((probabilities.argmax(axis=1) == gold).astype(np.float64))


def _mse(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    return _mean((scores - gold) ** 2)


def _mae(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    return _mean(np.abs(scores - gold))


def _pearson(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    """Prepare Pearson's correlation; 0 by definition where gold or scores are constant."""
    x, y = _standardise(gold), _standardise(scores)
    columns = np.stack([x, y, x * x, y * y, x * y], axis=1)

    def statistic(counts: Floats) -> Floats:
        x, y, xx, yy, xy = (counts @ columns / counts.sum(axis=1, keepdims=True)).T
        return _correlation(xy - x * y, _variance(xx, x), _variance(yy, y))

    return statistic


def _spearman(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    """Prepare Spearman's correlation: Pearson's of the ranks within the resample, ties at their mean rank."""
    rank_gold, rank_scores = _ranker(gold), _ranker(scores)

    def statistic(counts: Floats) -> Floats:
        x, y = rank_gold(counts), rank_scores(counts)
        xy, xx, yy = (np.einsum("bn,bn,bn->b", counts, a, b) for a, b in ((x, y), (x, x), (y, y)))
        return _correlation(xy, xx, yy)

    return statistic


def _mean(values: Floats) -> Statistic:
    return lambda counts: counts @ values / counts.sum(axis=1)


def _standardise(values: npt.NDArray[Any]) -> Floats:
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


METRICS: dict[str, Metric] = {
    "macro_f1": Metric("macro-F1", True, _macro_f1),
    "accuracy": Metric("accuracy", True, _accuracy),
    "pearson": Metric("Pearson r", True, _pearson),
    "spearman": Metric("Spearman ρ", True, _spearman),
    "mse": Metric("MSE", False, _mse),
    "mae": Metric("MAE", False, _mae),
}
"""Every metric by its name in run files and records."""
