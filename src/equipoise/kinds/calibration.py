"""Calibration: what turns a model's predictions into probabilities that hold, and scores without bias.

It is fitted on dev and travels with the task. All of it is free of torch: it changes probabilities, not logits.
Temperature scaling is by Guo et al. (2017, arXiv 1706.04599).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_ROWS = 30
"""Below this number of dev rows nothing is fitted (our design)."""
_TINY = 1e-38
_BOUND = 1e-12
_LEAST_SLOPE = 1e-3
_LEAST_SCORE = 1e-4
"""Scores are written with four digits; beyond their first and last ones nothing is known."""
TEMPERATURES = (0.1, 10.0)
"""The lowest and the highest one that is tried."""
_LEAST_GAIN = 1e-9


@dataclass(frozen=True)
class Calibration:
    """What is applied to predictions before anybody reads them; each kind uses some of it.

    Args:
        rows: the dev rows, or items found in them, that it was fitted on.
        temperature: by which logits are divided; above 1 the model was too sure.
        slope: of the line through scores, or through the logits of items found.
        intercept: of this line.
    """

    rows: int
    temperature: float = 1.0
    slope: float = 1.0
    intercept: float = 0.0

    def find_problem(self) -> str:
        """Say what is wrong with one read from a file; "" if nothing is."""
        numbers = (self.temperature, self.slope, self.intercept)
        if not all(map(math.isfinite, numbers)) or min(self.temperature, self.slope, self.rows) <= 0:
            return "calibration: found no finite numbers, with rows, temperature and slope above 0"
        return ""


def scale_classes(probabilities: npt.NDArray[np.floating], temperature: float) -> Floats:
    """Divide the logits of a softmax by a temperature: p^(1/T), normalized.

    Args:
        probabilities: shape (n, classes).
        temperature: T, above 0; the order of the classes stays.
    """
    logs = np.log(np.maximum(probabilities, _TINY, dtype=np.float64)) / temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def scale_labels(probabilities: npt.NDArray[np.floating], temperature: float) -> Floats:
    """Divide the logit of each probability by a temperature; 0.5 and the order of probabilities stay.

    Args:
        probabilities: any shape.
        temperature: T, above 0.
    """
    bounded = np.clip(np.asarray(probabilities, dtype=np.float64), _BOUND, 1 - _BOUND)
    return np.asarray(1 / (1 + np.exp(-np.log(bounded / (1 - bounded)) / temperature)))


def scale_ranks(probabilities: npt.NDArray[np.floating], temperature: float) -> Floats:
    """Divide the logits of P(class > k), for each k, by a temperature (our design).

    They still fall with k, and one that is 0.5 stays 0.5. So the median class, which ordinal tasks predict, stays.

    Args:
        probabilities: of classes in order, shape (n, classes).
        temperature: T, above 0.
    """
    above = scale_labels(1 - np.cumsum(probabilities[:, :-1], axis=1, dtype=np.float64), temperature)
    ends = np.ones((len(above), 1))
    classes = np.maximum(-np.diff(np.hstack([ends, above, 0 * ends]), axis=1), 0.0)
    return np.asarray(classes / classes.sum(axis=1, keepdims=True))


def fit_temperature(
    scale: Callable[[Floats, float], Floats], predictions: npt.NDArray[np.floating], chance: Callable[[Floats], Floats]
) -> Calibration | None:
    """Choose the temperature of the lowest log loss; few rows that are all right do not make a model certain.

    Args:
        scale: applies a temperature to predictions.
        predictions: on dev, shape (n, …).
        chance: maps predictions to the probabilities they give to what is true, any shape.

    Returns:
        None where there are too few rows, or where no temperature between 0.1 and 10 is better than none.
    """
    if len(predictions) < MIN_ROWS:
        return None
    # Only a fit needs scipy.
    from scipy.optimize import minimize_scalar

    exact = np.asarray(predictions, dtype=np.float64)

    def loss(log_temperature: float, doubt: float = 0.0) -> float:
        true = chance(scale(exact, math.exp(log_temperature)))
        wrong = doubt * np.log(np.maximum(1 - true, _TINY)) if doubt else 0.0
        return float(-((1 - doubt) * np.log(np.maximum(true, _TINY)) + wrong).mean())

    def fit(doubt: float) -> Any:
        bounds = tuple(map(math.log, TEMPERATURES))
        return minimize_scalar(loss, args=(doubt,), bounds=bounds, method="bounded", options={"xatol": 1e-6})

    # Where all rows are right, each lower temperature has a lower loss. So many rows do not show that the model is that
    # sure: they are counted as right up to the rule of succession, as Platt (1999) does.
    doubt, least = 0.0, 1 / (len(exact) + 2)
    found = fit(doubt)
    if found.fun < least:
        doubt, found = least, fit(least)
    if not loss(0.0, doubt) - found.fun > _LEAST_GAIN:
        return None
    return Calibration(len(exact), temperature=math.exp(found.x))


def scale_scores(scores: npt.NDArray[np.floating], calibration: Calibration) -> Floats:
    """Put probabilities through a line on their logits; it rises, so their order stays.

    Args:
        scores: probabilities, any shape.
        calibration: has the line.
    """
    return np.asarray(1 / (1 + np.exp(-calibration.slope * _logits(scores) - calibration.intercept)))


def fit_platt(scores: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> Calibration | None:
    """Fit the line on logits of the lowest log loss (Platt 1999), with his targets, which are never quite 0 or 1.

    Args:
        scores: the probability that each item is right, shape (n,).
        right: whether it is, shape (n,).

    Returns:
        The line; of slope 1 where it would not rise otherwise. None where there are too few items.
    """
    if len(scores) < MIN_ROWS:
        return None
    # Only a fit needs scipy.
    from scipy.optimize import minimize, minimize_scalar

    hits = int(right.sum())
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))
    logits = _logits(scores)

    def loss(line: Floats) -> tuple[float, Floats]:
        sums = line[0] * logits + line[1]
        gaps = 1 / (1 + np.exp(-sums)) - targets
        value = float((np.logaddexp(0, sums) - targets * sums).mean())
        return value, np.array([(gaps * logits).mean(), gaps.mean()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS")
    slope, intercept = map(float, found.x)
    if np.ptp(scores) == 0 or not (math.isfinite(slope) and math.isfinite(intercept) and slope > _LEAST_SLOPE):
        slope, intercept = 1.0, float(minimize_scalar(lambda shift: loss(np.array([1.0, shift]))[0]).x)
    return Calibration(len(scores), slope=slope, intercept=intercept)


def _logits(probabilities: npt.NDArray[np.floating]) -> Floats:
    bounded = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST_SCORE, 1 - _LEAST_SCORE)
    return np.asarray(np.log(bounded / (1 - bounded)))


def fit_line(scores: npt.NDArray[np.floating], gold: npt.NDArray[np.floating]) -> Calibration | None:
    """Fit the least-squares line from scores to labels.

    Args:
        scores: on dev, shape (n,).
        gold: the labels, shape (n,).

    Returns:
        None where there are too few rows, the scores are all equal, or the line would not rise.
    """
    if len(scores) < MIN_ROWS or np.ptp(scores) == 0:
        return None
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    if not (math.isfinite(slope) and slope > 0):
        return None
    return Calibration(len(x), slope=slope, intercept=float(y.mean() - slope * x.mean()))
