"""Which rows are looked at where looking at all would take too long."""

import random
from collections.abc import Sequence

SAMPLE = 2000
"""Rows that are looked at, at most."""


def sample(count: int, purpose: str, size: int = SAMPLE) -> Sequence[int]:
    """Return numbers of rows in order: all, or so many that are drawn at random, the same in every call.

    Args:
        count: how many rows there are.
        purpose: what for; each purpose has a draw of its own.
        size: how many, at most.
    """
    if count <= size:
        return range(count)
    return sorted(random.Random(purpose).sample(range(count), size))
