"""The order of the training rows: sources mixed, similar lengths together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

_MEGABATCH = 50


class EpochSampler(Sampler[int]):
    """A sampler whose order depends on the epoch.

    Args:
        size: draws of an epoch.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order is yielded next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._size


class MixedLengthSampler(EpochSampler):
    """Yield the rows of one epoch, sources mixed by rows^τ and batches of similar length.

    An epoch has as many draws as there are rows. Source s gets a share n_s^τ / Σ n^τ of them (temperature
    sampling; Conneau et al. 2020, arXiv 1911.02116, for languages): with τ = 1 every row comes once, with
    τ = 0 all sources count alike. A source's rows are walked through in circles, from epoch to epoch, so that
    within an epoch and over all of them no row comes more than once more often than another of its source
    (our design). Draws are shuffled, cut into runs of 50 batches, and sorted by length within each run; the
    order of the batches is shuffled again. The incomplete batch comes last, unsorted.

    The order depends on the arguments and the epoch only.

    Args:
        lengths: tokens of each row.
        sources: source of each row.
        batch_size: rows in a batch.
        tau: τ, from 0 to 1.
        seed: seed of the order.
    """

    def __init__(
        self,
        lengths: Sequence[int] | npt.NDArray[Any],
        sources: Sequence[str] | npt.NDArray[Any],
        batch_size: int,
        tau: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__(len(lengths))
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._seed = seed
        generator = np.random.default_rng(seed)
        names = np.asarray(sources)
        # 32 bits, since every row takes part.
        size = np.int32 if len(names) < 2**31 else np.int64
        owned = (np.flatnonzero(names == name).astype(size) for name in dict.fromkeys(sources))
        self._circles = [generator.permutation(rows) for rows in owned]
        self._draws = list(draw_sources(sources, tau).values())

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self._seed, self._epoch))
        draws = [
            np.resize(np.roll(rows, -(self._epoch * count % len(rows))), count)
            for rows, count in zip(self._circles, self._draws, strict=True)
        ]
        order = generator.permutation(np.concatenate(draws))
        run = _MEGABATCH * self._batch_size
        ordered = order_by_length(order, self._lengths, self._batch_size, run, generator)
        # Part by part: a Python integer takes five times the memory.
        for start in range(0, len(ordered), run):
            yield from ordered[start : start + run].tolist()


def order_by_length(
    order: np.ndarray, lengths: np.ndarray, batch_size: int, run: int, generator: np.random.Generator
) -> np.ndarray:
    """Return draws in batches of similar lengths, the batches in random order, the incomplete one last.

    Args:
        order: the draws, shuffled.
        lengths: tokens of each row.
        batch_size: rows in a batch.
        run: so many draws are sorted together.
        generator: draws the order of the batches.
    """
    whole = len(order) - len(order) % batch_size
    ordered = order[:whole].copy()
    for start in range(0, whole, run):
        rows = order[start : min(start + run, whole)]
        ordered[start : start + len(rows)] = rows[np.argsort(lengths[rows], kind="stable")]
    return np.concatenate([generator.permutation(ordered.reshape(-1, batch_size)).ravel(), order[whole:]])


def draw_sources(sources: Sequence[str] | npt.NDArray[Any], tau: float) -> dict[str, int]:
    """Return how many rows of each source an epoch draws.

    Args:
        sources: source of each row.
        tau: τ, from 0 to 1.
    """
    counts = Counter(sources)
    draws = share_out(len(sources), np.array(list(counts.values())) ** tau)
    return dict(zip(counts, draws.tolist(), strict=True))


def share_out(total: int, weights: np.ndarray) -> np.ndarray:
    """Share out `total` draws by weight; the largest remainders are rounded up."""
    exact = total * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts
