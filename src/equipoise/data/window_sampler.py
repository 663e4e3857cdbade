"""Training on texts that are too long, one window at a time."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .sampling import EpochSampler


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
