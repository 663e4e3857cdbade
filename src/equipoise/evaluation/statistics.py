"""What is said about several seeds, several tasks, and pairs of rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 9_999
BOOTSTRAP = 2_000
# Numbers drawn at once (32 MB).
_CHUNK = 4_000_000


class Estimate(NamedTuple):
    """A value and its 95 % interval; `low` and `high` are None where there is none."""

    value: float
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Estimate:
    """Return the mean over seeds and its 95 % t-interval; one value has none.

    Args:
        values: one value a seed.
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean, None, None)
    from scipy.stats import t

    half = float(t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half)


def delta_m(values: npt.ArrayLike, reference: npt.ArrayLike, higher_is_better: npt.ArrayLike) -> float | None:
    """Return Δm in percent: the mean over tasks of the relative gain over the reference.

    Maninis, Radosavovic and Kokkinos (2019, arXiv 1904.08918). A gain counts as positive whichever way the metric
    runs; the denominator is the reference's size without its sign.

    Args:
        values: one metric a task, shape (tasks,).
        reference: the same of the reference.
        higher_is_better: whether more is better, by task.

    Returns:
        The percentage; None where the reference is zero on a task.
    """
    values, reference = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if (reference == 0).any():
        return None
    signs = np.where(np.asarray(higher_is_better), 1.0, -1.0)
    return float(100 * np.mean(signs * (values - reference) / np.abs(reference)))


def mean_ranks(values: npt.ArrayLike) -> Floats:
    """Return each row's rank (1 is best, equals share theirs) averaged over tasks.

    Args:
        values: higher is better, shape (rows, tasks).
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(-np.asarray(values, dtype=np.float64), axis=0).mean(axis=1))


def count_wins(values: npt.ArrayLike) -> list[int]:
    """Return on how many tasks each row is the best; equals all count.

    Args:
        values: higher is better, shape (rows, tasks).
    """
    values = np.asarray(values, dtype=np.float64)
    return np.isclose(values, values.max(axis=0), rtol=1e-12, atol=0).sum(axis=1).tolist()


def sign_flip_test(differences: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return two-sided p-values of the hypothesis that paired differences are symmetric about zero.

    Under it every item's sign is a coin's: the share of random signs under which the mean is as far from zero as
    observed, the observation itself counted in (`scipy.stats.permutation_test`, "samples", gives the same for one
    column at a time; here the signs are drawn once for all columns).

    Args:
        differences: a loss less its reference's, shape (items, columns).
        resamples: random draws of all signs.
        seed: seed of the draws.
    """
    n, columns = differences.shape
    # Sums that differ by rounding alone are equal.
    bound = np.abs(differences.sum(axis=0)) - 1e-9 * np.abs(differences).sum(axis=0)
    generator = np.random.default_rng(seed)
    as_far = np.zeros(columns, dtype=np.int64)
    done = 0
    while done < resamples:
        size = min(max(1, _CHUNK // n), resamples - done)
        signs = 2.0 * generator.integers(2, size=(size, n), dtype=np.int8) - 1.0
        as_far += (np.abs(signs @ differences) >= bound).sum(axis=0)
        done += size
    return (as_far + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    return corrected[np.argsort(order)].tolist()


def bootstrap_means(losses: Sequence[Floats], resamples: int = BOOTSTRAP, seed: int = 0) -> Floats:
    """Return every row's mean loss in resamples of items and seeds.

    Items are drawn with replacement, the same for all rows, so that rows can be compared resample by resample; each
    row's seeds are drawn with replacement, too.

    Args:
        losses: for each row its seeds' loss on each item, shape (seeds, items).
        resamples: how many.
        seed: seed of the draws.

    Returns:
        Shape (rows, resamples).
    """
    generator = np.random.default_rng(seed)
    n = losses[0].shape[1]
    means: list[list[Floats]] = [[] for _ in losses]
    done = 0
    while done < resamples:
        size = min(max(1, _CHUNK // n), resamples - done)
        items = generator.integers(n, size=(size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(items.ravel(), minlength=size * n).reshape(size, n) / n
        for row, chunks in zip(losses, means, strict=True):
            of_seeds = row @ counts.T
            drawn = generator.integers(len(row), size=of_seeds.shape)
            chunks.append(np.take_along_axis(of_seeds, drawn, axis=0).mean(axis=0))
        done += size
    return np.stack([np.concatenate(chunks) for chunks in means])


def with_interval(value: float, sample: Floats) -> Estimate:
    """Return a value with the 95 % percentile interval of its bootstrap sample."""
    low, high = np.quantile(sample, (0.025, 0.975))
    return Estimate(value, float(low), float(high))
