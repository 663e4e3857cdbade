"""Metrics of ordinal tasks; predictions are 1 for the predicted class and 0 for the others, or probabilities."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import ACCURACY, MACRO_F1, MACRO_RECALL, Floats, Metric, Statistic, mean_metric
from ..probability_metrics import BRIER, binned_error
from .task import median_class


def quadratic_kappa(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
    """Prepare the weighted kappa of Cohen (1968) with squared distances of ranks as weights.

    It is 1 less the mean squared distance, over that of gold and predictions paired at random. 1 is perfect, 0 is no
    better than chance, as any constant prediction is. Where gold and predictions are one class throughout, which leaves
    it undefined, it is 0.
    """
    ranks, chosen = gold.astype(np.float64), predictions.argmax(axis=1).astype(np.float64)
    columns = np.stack([ranks, chosen, ranks**2, chosen**2, ranks * chosen], axis=1)

    def statistic(counts: Floats) -> Floats:
        n = counts.sum(axis=1)
        x, y, xx, yy, xy = (counts @ columns).T
        # All sums are whole numbers, so that no rounding is taken for a distance.
        found, expected = n * (xx + yy - 2 * xy), n * (xx + yy) - 2 * x * y
        return np.where(expected > 0, 1 - found / np.where(expected > 0, expected, 1), 0.0)

    return statistic


def rank_errors(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Floats:
    """Return by how many ranks each row is missed."""
    return np.abs(predictions.argmax(axis=1) - gold).astype(np.float64)


def median_error(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    """Prepare the calibration error of the median class, which is the predicted one."""
    chosen = median_class(probabilities)
    confidence = probabilities[np.arange(len(chosen)), chosen]
    return binned_error(confidence, (chosen == gold).astype(np.float64))


METRICS = {
    "qwk": Metric("QWK", True, quadratic_kappa),
    "rank_mae": mean_metric("MAE in ranks", False, rank_errors),
    "accuracy": ACCURACY,
    "macro_f1": MACRO_F1,
    "macro_recall": MACRO_RECALL,
    "ece": Metric("ECE", False, median_error, reads_probabilities=True),
    "brier": BRIER,
}
