"""How much each task would help a target: an estimate from the frozen features of the base model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.evaluation import bootstrap_means

from .plan import Pair

Floats = npt.NDArray[np.float64]

_PENALTIES = np.logspace(-2, 2, 9)
"""λ of ridge regression: of ‖w‖² beside the mean squared error, features having variance 1."""
_WEIGHT = 30.0
"""Factor of the helper's predictions: beside features of variance 1, the penalty hardly draws on them."""
_TINY = 1e-12


class Gain(NamedTuple):
    """By how many percent of itself the target's loss is lower with a helper, and the 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TaskEvidence:
    """What an estimate knows of a task.

    Args:
        features: what the untrained base model makes of some training rows, rows × width.
        labels: their labels as numbers, rows × columns.
    """

    features: Floats
    labels: Floats


def estimate_gains(
    evidence: Mapping[str, TaskEvidence], pairs: Sequence[Pair], seed: int, resamples: int = 1000
) -> dict[Pair, Gain]:
    """Estimate how much each pair's helper would lower the loss of its target.

    Ridge regression learns the helper's labels from features. Its predictions for the target's rows say how the
    helper would sort the target's texts. The estimate is by how much the target's labels are predicted better from
    features and these predictions than from features alone: the difference of the squared errors that ridge regression
    makes on rows left out one at a time, its λ being the best of nine in each case. That the predictions of one task's
    model on another task's texts tell how well it transfers is LEEP's idea (Nguyen et al. 2020, arXiv 2002.12462); to
    stack them on the features is our design.

    The interval is the percentile bootstrap's over the target's rows; it does not hold what a training owes to chance.

    Args:
        evidence: the tasks by name.
        pairs: the pairs.
        seed: seed of the resamples.
        resamples: how many stand behind the intervals.

    Returns:
        The gains of those pairs whose two tasks there is evidence of.
    """
    pairs = [pair for pair in pairs if pair.target in evidence and pair.helper in evidence]
    features = {name: _scale(found.features) for name, found in evidence.items()}
    slopes = {
        helper: _fit(features[helper], evidence[helper].labels).coef_
        for helper in dict.fromkeys(pair.helper for pair in pairs)
    }
    alone = {
        target: _errors(features[target], evidence[target].labels)
        for target in dict.fromkeys(pair.target for pair in pairs)
    }
    gains = {}
    for pair in pairs:
        own = features[pair.target]
        predicted = _scale(own @ np.atleast_2d(slopes[pair.helper]).T)
        together = _errors(np.hstack([own, _WEIGHT * predicted]), evidence[pair.target].labels)
        gains[pair] = _compare(alone[pair.target], together, seed, resamples)
    return gains


def _scale(values: Floats) -> Floats:
    """Give the columns the mean 0, and all together the variance 1."""
    centered = values - values.mean(axis=0)
    return np.asarray(centered / max(centered.std(), _TINY))


def _fit(features: Floats, labels: Floats) -> Any:
    # Here, because scikit-learn takes a second to import.
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=_PENALTIES * len(features), store_cv_results=True).fit(features, labels)


def _errors(features: Floats, labels: Floats) -> Floats:
    """Return the squared error on each row, left out, shape (rows,)."""
    model = _fit(features, labels)
    errors = model.cv_results_.reshape(len(features), -1, len(_PENALTIES))
    return np.asarray(errors.sum(axis=1)[:, np.argmin(errors.mean(axis=(0, 1)))])


def _compare(alone: Floats, together: Floats, seed: int, resamples: int) -> Gain:
    if alone.mean() < _TINY:
        return Gain(0.0, 0.0, 0.0)
    # The same rows are drawn for both.
    means = bootstrap_means([alone[None], together[None]], resamples, seed)
    low, high = np.quantile(100 * (1 - means[1] / np.maximum(means[0], _TINY)), (0.025, 0.975))
    return Gain(float(100 * (1 - together.mean() / alone.mean())), float(low), float(high))
