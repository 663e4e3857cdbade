"""Metrics of classification."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import ACCURACY, MACRO_F1, MACRO_RECALL, Metric, Statistic, accuracies

_CALIBRATION_BINS = 15


def calibration_error(gold: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> Statistic:
    """Prepare the expected calibration error (Guo et al., 2017, arXiv 1706.04599), from 0 to 1.

    Rows are put into 15 bins of equal width by the probability of the class that is predicted; averaged over rows, the
    error is the distance between a bin's mean probability and its accuracy.
    """
    confidence = probabilities.max(axis=1)
    which = np.clip(np.ceil(confidence * _CALIBRATION_BINS).astype(int) - 1, 0, _CALIBRATION_BINS - 1)
    columns = np.eye(_CALIBRATION_BINS)[which] * (accuracies(gold, probabilities) - confidence)[:, None]
    return lambda counts: np.abs(counts @ columns).sum(axis=1) / counts.sum(axis=1)


METRICS = {
    "macro_f1": MACRO_F1,
    "accuracy": ACCURACY,
    "macro_recall": MACRO_RECALL,
    "ece": Metric("ECE", False, calibration_error),
}
