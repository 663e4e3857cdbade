"""The metrics of every task kind, in a form that scores many bootstrap resamples at once.

A resample of n rows is held as how often each row was drawn. A metric is *prepared* with gold and predictions
once, and then maps such counts, shape (resamples, n), to one value a resample, mostly by one matrix product.
Counts of one give the metric itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .texts import copied, empty, rouge

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]

# A variance below this share of the mean square is rounding, not variation.
_ROUNDING = 1e-12
_CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        label: its name in tables.
        higher_is_better: whether the larger of two values is the better one.
        prepare: maps gold and predictions to a function from counts (resamples, n) to values (resamples,). Gold are
            class indices, scores or texts (n,), or 0 and 1 for each label (n, labels); predictions probabilities
            (n, classes), scores or texts (n,), or 0 and 1 for each label. Metrics that compare a prediction with
            its input (`Task.text_metrics`) take the input texts for gold.
        items: for a mean over rows, maps the same to the value of each row (n,).
    """

    label: str
    higher_is_better: bool
    prepare: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Statistic]
    items: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Floats] | None = None

    def __call__(self, gold: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
        """Score predictions against gold.

        Args:
            gold: class indices, scores or texts, shape (n,), or 0 and 1 for each label, shape (n, labels).
            predictions: probabilities, shape (n, classes), scores or texts, shape (n,), or 0 and 1 for each label.
        """
        gold = np.asarray(gold)
        statistic = self.prepare(gold, np.asarray(predictions))
        return float(statistic(np.ones((1, len(gold))))[0])


def _macro_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
    """Prepare the mean over classes, or labels, of F1.

    The mean runs over the classes that occur in gold or among the predictions of the rows at hand, as in
    scikit-learn's `f1_score(average="macro")`: a class that occurs in neither is left out, not counted as 0. Where
    no label occurs in either at all, it is 0.
    """
    count = _occurrences_and_hits(gold, predictions)

    def statistic(counts: Floats) -> Floats:
        occurrences, hits = count(counts)
        f1 = 2 * hits / np.maximum(occurrences, 1)
        return f1.sum(axis=1) / np.maximum((occurrences > 0).sum(axis=1), 1)

    return statistic


def _micro_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
    """Prepare the F1 of all labels counted together; 0 where none occurs in gold or among the predictions."""
    count = _occurrences_and_hits(gold, predictions)

    def statistic(counts: Floats) -> Floats:
        occurrences, hits = count(counts)
        return 2 * hits.sum(axis=1) / np.maximum(occurrences.sum(axis=1), 1)

    return statistic


def _occurrences_and_hits(
    gold: npt.NDArray[Any], predictions: npt.NDArray[Any]
) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Return a function from counts to each class's occurrences (in gold and predictions together) and hits."""
    n_classes = predictions.shape[1]
    if gold.ndim == 1:
        # One class a row, of which the predictions are probabilities.
        gold, predictions = np.eye(n_classes)[gold], np.eye(n_classes)[predictions.argmax(axis=1)]
    columns = np.hstack([gold + predictions, gold * predictions]).astype(np.float64)

    def count(counts: Floats) -> tuple[Floats, Floats]:
        totals = counts @ columns
        return totals[:, :n_classes], totals[:, n_classes:]

    return count


def _accuracies(gold: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> Floats:
    return np.asarray(probabilities.argmax(axis=1) == gold, dtype=np.float64)


def _calibration_error(gold: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> Statistic:
    """Prepare the expected calibration error (Guo et al., 2017, arXiv 1706.04599), from 0 to 1.

    Rows are put into 15 bins of equal width by the probability of the class that is predicted; averaged over rows, the
    error is the distance between a bin's mean probability and its accuracy.
    """
    confidence = probabilities.max(axis=1)
    which = np.clip(np.ceil(confidence * _CALIBRATION_BINS).astype(int) - 1, 0, _CALIBRATION_BINS - 1)
    columns = np.eye(_CALIBRATION_BINS)[which] * (_accuracies(gold, probabilities) - confidence)[:, None]
    return lambda counts: np.abs(counts @ columns).sum(axis=1) / counts.sum(axis=1)


def _jaccard(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Floats:
    """Return each row's share of common labels among those in gold or predicted; 1 where there are none."""
    both, either = (gold & predictions).sum(axis=1), (gold | predictions).sum(axis=1)
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def _squared_errors(gold: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Floats:
    return np.asarray((scores - gold) ** 2, dtype=np.float64)


def _absolute_errors(gold: npt.NDArray[Any], scores: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.abs(scores - gold), dtype=np.float64)


def _pearson(gold: npt.NDArray[Any], scores: Floats) -> Statistic:
    """Prepare Pearson's correlation; 0 by definition where gold or scores are constant."""
    x, y = _standardize(gold), _standardize(scores)
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


def _mean(label: str, higher_is_better: bool, items: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Floats]) -> Metric:
    """Return the metric that is the mean of a value a row."""

    def prepare(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        values = items(gold, predictions)
        return lambda counts: counts @ values / counts.sum(axis=1)

    return Metric(label, higher_is_better, prepare, items)


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


METRICS: dict[str, Metric] = {
    "macro_f1": Metric("macro-F1", True, _macro_f1),
    "micro_f1": Metric("micro-F1", True, _micro_f1),
    "jaccard": _mean("Jaccard", True, _jaccard),
    "accuracy": _mean("accuracy", True, _accuracies),
    "ece": Metric("ECE", False, _calibration_error),
    "pearson": Metric("Pearson r", True, _pearson),
    "spearman": Metric("Spearman ρ", True, _spearman),
    "mse": _mean("MSE", False, _squared_errors),
    "mae": _mean("MAE", False, _absolute_errors),
    "rouge_l": _mean("ROUGE-L", True, partial(rouge, "rougeL")),
    "rouge_1": _mean("ROUGE-1", True, partial(rouge, "rouge1")),
    "rouge_2": _mean("ROUGE-2", True, partial(rouge, "rouge2")),
    "empty": _mean("empty outputs", False, empty),
    "copied": _mean("copied outputs", False, copied),
}
"""Every metric by its name in run files and records."""
