"""Metrics of probabilities: whether they hold, and how sharp they are."""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import Floats, Metric, Statistic

_BINS = 15


def binned_error(confidence: Floats, right: Floats) -> Statistic:
    """Prepare the expected calibration error (Guo et al., 2017, arXiv 1706.04599), from 0 to 1.

    Probabilities are put into 15 bins of equal width; averaged over them, the error is the distance between a bin's
    mean probability and the share of its events that occur.

    Args:
        confidence: the probability of each row's event, shape (n,), or of several events a row, (n, events).
        right: whether it occurs, 0 or 1, of the same shape.
    """
    columns = bin_errors(confidence, right)
    events = prod(confidence.shape[1:])
    return lambda counts: np.abs(counts @ columns).sum(axis=1) / (events * counts.sum(axis=1))


def bin_errors(confidence: Floats, right: Floats) -> Floats:
    """Return for each row by how much its events in each bin of probability are missed, shape (n, 15).

    Args:
        confidence: the probability of each row's event, shape (n,), or of several events a row, (n, events).
        right: whether it occurs, 0 or 1, of the same shape.
    """
    events = prod(confidence.shape[1:])
    confidence, right = (values.reshape(len(values), events) for values in (confidence, right))
    which = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    columns = np.zeros((len(confidence), _BINS))
    np.add.at(columns, (np.arange(len(confidence))[:, None], which), right - confidence)
    return columns


def class_error(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    """Prepare the calibration error of the most probable class."""
    return binned_error(probabilities.max(axis=1), (probabilities.argmax(axis=1) == gold).astype(np.float64))


def label_error(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    """Prepare the calibration error of all labels' probabilities together."""
    return binned_error(probabilities, gold.astype(np.float64))


def brier_items(gold: npt.NDArray[Any], probabilities: Floats) -> Floats:
    """Return each row's squared distance of the probabilities from the truth (Brier 1950), from 0 to 2.

    Of classes it is summed over the classes, of labels it is the mean over labels (0 to 1).

    Args:
        gold: class indices, shape (n,), or 0 and 1 for each label, (n, labels).
        probabilities: shape (n, classes).
    """
    if gold.ndim == 1:
        return np.asarray(((probabilities - np.eye(probabilities.shape[1])[gold]) ** 2).sum(axis=1))
    return np.asarray(((probabilities - gold) ** 2).mean(axis=1))


def _brier(gold: npt.NDArray[Any], probabilities: Floats) -> Statistic:
    values = brier_items(gold, probabilities)
    return lambda counts: counts @ values / counts.sum(axis=1)


CLASS_ECE = Metric("ECE", False, class_error, reads_probabilities=True)
LABEL_ECE = Metric("ECE", False, label_error, reads_probabilities=True)
BRIER = Metric("Brier", False, _brier, brier_items, reads_probabilities=True)
