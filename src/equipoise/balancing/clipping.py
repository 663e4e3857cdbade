"""Bring a rule's weights into the contract's form."""

import numpy as np
from torch import Tensor


def bounded(raw: Tensor, low: float, high: float) -> list[float]:
    """Scale n weights so that, clipped to [low, high], they sum to n.

    Solves Σ_i clip(c·raw_i) = n for c; the sum is piecewise linear in c and bends where a weight meets a
    bound.

    Args:
        raw: float64, shape (n,), finite; negative entries count as (almost) 0.
        low: the smallest weight, at most 1.
        high: the largest weight, at least 1.
    """
    values = raw.numpy()
    count = len(values)
    if values.max() <= 0:
        return [1.0] * count
    values = np.maximum(values / values.max(), 1e-12)
    weights = values * (count / values.sum())
    if weights.min() < low or weights.max() > high:
        bends = np.sort(np.concatenate([low / values, min(high, count) / values]))
        sums = np.clip(bends[:, None] * values, low, high).sum(axis=1)
        weights = np.clip(np.interp(count, sums, bends) * values, low, high)
    return [float(weight) for weight in weights]
