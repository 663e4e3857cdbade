"""The size from which a number belongs to the largest."""

from collections.abc import Iterable

import numpy as np
from torch import Tensor


def trim_threshold(tensors: Iterable[Tensor], numbers: int, density: float) -> float:
    """Return the magnitude of the smallest number to keep.

    Args:
        tensors: those that make up the vector; numbers that are in none of them are zeros.
        numbers: how many numbers the vector has.
        density: the share to keep, in (0, 1]; rounded down, one number at least.

    Returns:
        The ⌊density · numbers⌋-th largest magnitude. Numbers equal to it are kept too; 0 keeps all.
    """
    kept = max(1, int(density * numbers))
    if kept >= numbers:
        return 0.0
    magnitudes = np.concatenate([tensor.detach().abs().flatten().cpu().numpy() for tensor in tensors] or [np.zeros(1)])
    if kept > len(magnitudes):
        return 0.0
    place = len(magnitudes) - kept
    magnitudes.partition(place)
    return float(magnitudes[place])
