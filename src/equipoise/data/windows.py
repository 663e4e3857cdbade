"""Texts that are too long, in overlapping windows."""

from collections.abc import Iterator, Mapping, Sequence

import datasets
import numpy as np
import numpy.typing as npt

from .sampling import EpochSampler

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


def find_owners(rows: datasets.Dataset) -> npt.NDArray[np.int64]:
    """Return for each window the place of its text's first window, for which the text itself counts.

    Args:
        rows: what `tokenize` returned with windows, or a selection of the rows of texts.
    """
    index, window = np.asarray(rows["index"][:], dtype=np.int64), np.asarray(rows["window"][:], dtype=np.int64)
    firsts = np.flatnonzero(window == 0)
    owners = np.zeros(index.max(initial=0) + 1, dtype=np.int64)
    owners[index[firsts]] = firsts
    return owners[index]


def group_windows(rows: datasets.Dataset) -> dict[int, list[int]]:
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


class WindowSampler(EpochSampler):
    """Yield one window of each row that another sampler draws, a different one in each epoch.

    A text with k windows is read whole in k epochs, its windows in random order, and then again from the first
    (our design): an epoch costs what it costs where texts are cut. Which window an epoch reads of a row depends on the
    seed, the epoch and the row only.

    Args:
        rows: draws the rows.
        windows: the places of a row's windows, for the rows that have several.
        seed: seed of the windows' order.
    """

    def __init__(self, rows: EpochSampler, windows: Mapping[int, Sequence[int]], seed: int = 0) -> None:
        super().__init__(len(rows))
        self._rows = rows
        self._windows = windows
        self._seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order is yielded next."""
        super().set_epoch(epoch)
        self._rows.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        for row in self._rows:
            own = self._windows.get(row)
            yield row if own is None else own[self._choose(row, len(own))]

    def _choose(self, row: int, count: int) -> int:
        return int(np.random.default_rng((self._seed, row)).permutation(count)[self._epoch % count])
