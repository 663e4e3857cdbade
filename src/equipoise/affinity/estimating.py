"""How much a helper would help a target: an estimate from how well features tell the target's labels."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.evaluation import bootstrap_means

Floats = npt.NDArray[np.float64]

_PENALTIES = np.logspace(-3, 3, 13)
"""λ of ridge regression: of ‖w‖² beside the mean squared error, features having variance 1."""
_TINY = 1e-12


class Gain(NamedTuple):
    """By how many percent of itself the target's loss is lower with a helper, and the 95 % interval."""

    value: float
    low: float
    high: float


def readout_errors(features: Floats, labels: Floats) -> Floats:
    """Return the squared error of ridge regression on each row when it is left out, λ being the best of thirteen.

    Args:
        features: rows × width.
        labels: as numbers, rows × columns.

    Returns:
        Summed over columns, shape (rows,).

    Example:
        >>> import numpy as np
        >>> features = np.random.default_rng(0).normal(size=(50, 3))
        >>> bool(readout_errors(features, features[:, :1]).mean() < 0.01)
        True
    """
    # Here, because scikit-learn takes a second to import.
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=_PENALTIES * len(features), store_cv_results=True).fit(_scale(features), labels)
    errors = model.cv_results_.reshape(len(features), -1, len(_PENALTIES))
    return np.asarray(errors.sum(axis=1)[:, np.argmin(errors.mean(axis=(0, 1)))])


def estimate_gain(untrained: Floats, helped: Floats, seed: int, resamples: int = 1000) -> Gain:
    """Estimate by how much a helper lowers the loss of a target.

    The estimate is by how many percent the target's labels are predicted better from the features of a model that has
    learnt the helper's task for a short while than from those of the untrained one. To judge a source task by how well
    the features of a model that was trained on it tell the target's labels is the idea of LogME (You et al. 2021, arXiv
    2102.11005) and of embedding space maps (Schulte et al. 2024, arXiv 2410.15148); the short training and the squared
    errors of rows left out are our design.

    The interval is the percentile bootstrap's over the target's rows; it does not hold what a training owes to chance.

    Args:
        untrained: errors of the untrained model's features, as `readout_errors` returns them, shape (rows,).
        helped: those of the model that has learnt the helper's task, on the same rows.
        seed: seed of the resamples.
        resamples: how many stand behind the interval.
    """
    if untrained.mean() < _TINY:
        return Gain(0.0, 0.0, 0.0)
    # The same rows are drawn for both.
    means = bootstrap_means([untrained[None], helped[None]], resamples, seed)
    low, high = np.quantile(100 * (1 - means[1] / np.maximum(means[0], _TINY)), (0.025, 0.975))
    return Gain(float(100 * (1 - helped.mean() / untrained.mean())), float(low), float(high))


def _scale(values: Floats) -> Floats:
    """Give the columns the mean 0, and all together the variance 1."""
    centered = values - values.mean(axis=0)
    return np.asarray(centered / max(centered.std(), _TINY))
