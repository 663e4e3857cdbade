"""Scale weights to a mean of 1 within bounds."""

import numpy as np
import torch
from torch import Tensor


def bounded(raw: Tensor, low: float, high: float, *, share: Tensor | None = None) -> Tensor:
    """Scale weights so that, clipped to [low, high], their mean is 1.

    Solves Σ_i share_i clip(c·raw_i) = 1 for c; the sum is piecewise linear in c and bends where a weight
    meets a bound.

    Args:
        raw: float64, shape (n,), finite; negative entries count as (almost) 0, and without a positive one all
            are alike.
        low: the smallest weight, at most 1.
        high: the largest weight, at least 1.
        share: what each entry counts in the mean, float64, shape (n,), with sum 1; default 1/n each.

    Returns:
        float64, shape (n,).
    """
    values = raw.numpy()
    if values.max() <= 0:
        return torch.ones_like(raw)
    values = np.maximum(values / values.max(), 1e-12)
    shares = np.full(len(values), 1 / len(values)) if share is None else share.numpy()
    weights = values / (shares @ values)
    if weights.min() < low or weights.max() > high:
        # No weight of a share above 0 can exceed 1 / share, so that an infinite bound is as good as a finite
        # one.
        bends = np.sort(np.concatenate([low / values, min(high, 1 / shares[shares > 0].min()) / values]))
        means = np.clip(bends[:, None] * values, low, high) @ shares
        weights = np.clip(np.interp(1.0, means, bends) * values, low, high)
    return torch.from_numpy(weights)
