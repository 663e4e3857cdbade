"""Weights that are at least 0 and sum to 1."""

from collections.abc import Sequence

import torch
from torch import Tensor


def shares_within(shares: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Rescale some tasks' shares so that they sum to 1.

    Args:
        shares: shares of all tasks, shape (T,).
        rows: the indices of P tasks.

    Returns:
        The sum of their shares, and the shares divided by it, shape (P,); equal shares where the sum is 0.
    """
    selected = shares[rows]
    total = selected.sum()
    return total, selected / total if total > 0 else torch.full_like(selected, 1 / len(rows))


def project_onto_simplex(point: Tensor) -> Tensor:
    """Return the nearest point with entries of at least 0 and sum 1 (Held, Wolfe and Crowder, 1974).

    Args:
        point: shape (P,).

    Returns:
        max(point - θ, 0), shape (P,), with the θ that makes the sum 1.
    """
    descending = point.sort(descending=True).values
    # θ by the number of entries above 0; it is the largest number whose smallest entry stays above its own θ.
    thresholds = (descending.cumsum(0) - 1) / torch.arange(1, len(point) + 1, dtype=point.dtype)
    positive = int((descending > thresholds).sum())
    return (point - thresholds[positive - 1]).clamp_min(0)
