"""Ranks between 0 and 1."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]


def unit_ranks(values: npt.ArrayLike) -> Floats:
    """Return (rank − ½) / n of each value, equals sharing theirs; NaN stays NaN and does not count.

    Args:
        values: shape (n,).
    """
    values = np.asarray(values, dtype=np.float64)
    ranks = np.full(len(values), np.nan)
    known = ~np.isnan(values)
    if known.any():
        ranks[known] = (rankdata(values[known]) - 0.5) / known.sum()
    return ranks


def weigh(parts: dict[str, Floats], weights: dict[str, float]) -> Floats:
    """Return the weighted mean of rank-normalised parts, each entry over the parts that it has.

    Args:
        parts: by name, each of shape (n,), NaN where an entry has no such part.
        weights: by name.

    Returns:
        Shape (n,), between 0 and 1; ½ for an entry without any part.
    """
    ranks = np.stack([unit_ranks(values) for values in parts.values()])
    shares = np.array([weights[name] for name in parts])[:, None] * ~np.isnan(ranks)
    total = shares.sum(axis=0)
    found = (np.nan_to_num(ranks) * shares).sum(axis=0)
    return np.divide(found, total, out=np.full(ranks.shape[1], 0.5), where=total > 0)
