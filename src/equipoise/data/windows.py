"""Texts that are too long, in overlapping windows."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import datasets

OVERLAP = 4
"""Neighboring windows share one part in this many of their tokens (our design)."""


def split_windows(tokens: int, size: int, *, from_end: bool = False) -> list[tuple[int, int]]:
    """Return where the windows of a text begin and end, the first one first.

    Neighbors share a quarter of a window, rounded down. The last window is moved back so that it is as long as the
    others; it shares that much at least.

    Args:
        tokens: tokens of the text.
        size: tokens of a window, one at least.
        from_end: the first window stands at the end of the text, as tokenizers have it that cut from the left.
    """
    last = max(0, tokens - size)
    starts = [*range(0, last, size - size // OVERLAP), last]
    spans = [(start, min(start + size, tokens)) for start in starts]
    return [(tokens - end, tokens - start) for start, end in spans] if from_end else spans


def find_owners(rows: "datasets.Dataset") -> npt.NDArray[np.int64]:
    """Return for each window the place of its text's first window, for which the text itself counts.

    Args:
        rows: what `tokenize` returned with windows, or a selection of the rows of texts.
    """
    index, window = np.asarray(rows["index"][:], dtype=np.int64), np.asarray(rows["window"][:], dtype=np.int64)
    firsts = np.flatnonzero(window == 0)
    owners = np.zeros(index.max(initial=0) + 1, dtype=np.int64)
    owners[index[firsts]] = firsts
    return owners[index]


def group_windows(rows: "datasets.Dataset") -> dict[int, list[int]]:
    """Return the places of each text's windows, by the place of the first, for the texts that have several.

    Args:
        rows: see `find_owners`.
    """
    owners = find_owners(rows)
    groups: dict[int, list[int]] = {}
    for place in np.flatnonzero(owners != np.arange(len(owners))).tolist():
        owner = int(owners[place])
        groups.setdefault(owner, [owner]).append(place)
    return groups
