"""How much a helper would help a target: an estimate from how well features tell the target's labels."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equipoise.evaluation import bootstrap_means

Floats = npt.NDArray[np.float64]

_TINY = 1e-12


class Gain(NamedTuple):
    """By how many percent of itself the target's loss is lower with a helper, and the 95 % interval."""

    value: float
    low: float
    high: float


def estimate_gain(untrained: Floats, helped: Floats, seed: int, resamples: int = 1000) -> Gain:
    """Estimate by how much a helper lowers the loss of a target.

    The estimate is by how many percent the loss of a linear probe of the target's labels is lower if it reads, beside
    the features of the untrained model, those of a model that has learnt the helper's task for a short while. To judge
    a source task by how well the features of a model that was trained on it tell the target's labels is the idea of
    LogME (You et al. 2021, arXiv 2102.11005) and of embedding space maps (Schulte et al. 2024, arXiv 2410.15148); the
    short training, the features side by side and the loss of rows that a probe has not seen are our design.

    The interval is the percentile bootstrap's over the target's rows; it does not hold what a training owes to chance.

    Args:
        untrained: losses of probes on the untrained model's features, cross-fitted, shape (rows,).
        helped: the same with the features of the model that has learnt the helper's task beside them.
        seed: seed of the resamples.
        resamples: how many stand behind the interval.

    Example:
        >>> import numpy as np
        >>> estimate_gain(np.full(40, 2.0), np.full(40, 1.5), seed=0).value
        25.0
    """
    if untrained.mean() < _TINY:
        return Gain(0.0, 0.0, 0.0)
    # The same rows are drawn for both.
    means = bootstrap_means([untrained[None], helped[None]], resamples, seed)
    low, high = np.quantile(100 * (1 - means[1] / np.maximum(means[0], _TINY)), (0.025, 0.975))
    return Gain(float(100 * (1 - helped.mean() / untrained.mean())), float(low), float(high))
