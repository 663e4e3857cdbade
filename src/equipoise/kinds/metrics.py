"""Metrics in a form that scores many bootstrap resamples at once.

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
        reads_probabilities: whether it is of the predictions as they are, not of what the task decides by them.
    """

    label: str
    higher_is_better: bool
    prepare: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Statistic]
    items: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Floats] | None = None
    reads_probabilities: bool = False

    def __call__(self, gold: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
        """Score predictions against gold.

        Args:
            gold: class indices, scores or texts, shape (n,), or 0 and 1 for each label, shape (n, labels).
            predictions: probabilities, shape (n, classes), scores or texts, shape (n,), or 0 and 1 for each label.
        """
        gold = np.asarray(gold)
        statistic = self.prepare(gold, np.asarray(predictions))
        return float(statistic(np.ones((1, len(gold))))[0])


def macro_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
    """Prepare the mean over classes, or labels, of F1.

    The mean runs over the classes that occur in gold or among the predictions of the rows at hand, as in
    scikit-learn's `f1_score(average="macro")`: a class that occurs in neither is left out, not counted as 0. Where
    no label occurs in either at all, it is 0.
    """
    count = occurrences_and_hits(gold, predictions)

    def statistic(counts: Floats) -> Floats:
        occurrences, hits = count(counts)
        f1 = 2 * hits / np.maximum(occurrences, 1)
        return f1.sum(axis=1) / np.maximum((occurrences > 0).sum(axis=1), 1)

    return statistic


def occurrences_and_hits(
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


def mean_metric(
    label: str, higher_is_better: bool, items: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Floats]
) -> Metric:
    """Return the metric that is the mean of one value per row.

    Args:
        label: its name in tables.
        higher_is_better: whether the larger of two values is the better one.
        items: maps gold and predictions to the value of each row, shape (n,).
    """

    def prepare(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        values = items(gold, predictions)
        return lambda counts: counts @ values / counts.sum(axis=1)

    return Metric(label, higher_is_better, prepare, items)


def macro_recall(gold: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> Statistic:
    """Prepare the mean of recall over the classes that occur in gold, as scikit-learn's `balanced_accuracy_score`.

    SemEval-2017 task 4 ranks tweets' polarity by it. A class that no row at hand has, as in some resamples, has no
    recall and is left out.
    """
    n_classes = probabilities.shape[1]
    right = accuracies(gold, probabilities)[:, None]
    columns = np.hstack([np.eye(n_classes)[gold], np.eye(n_classes)[gold] * right])

    def statistic(counts: Floats) -> Floats:
        totals = counts @ columns
        rows, hits = totals[:, :n_classes], totals[:, n_classes:]
        recall = hits / np.maximum(rows, 1)
        return np.asarray(recall.sum(axis=1) / np.maximum((rows > 0).sum(axis=1), 1))

    return statistic


def accuracies(gold: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> Floats:
    """Return 1 for each row whose most probable class is the label, else 0."""
    return np.asarray(probabilities.argmax(axis=1) == gold, dtype=np.float64)


ACCURACY = mean_metric("accuracy", True, accuracies)
MACRO_F1 = Metric("macro-F1", True, macro_f1)
MACRO_RECALL = Metric("macro recall", True, macro_recall)
