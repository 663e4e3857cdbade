"""The order of the training rows under a curriculum."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.data import EpochSampler, order_by_length, share_out

from .schedules import Curriculum

Ints = npt.NDArray[np.int64]

_MEGABATCH = 50
"""Batches that are drawn together at most."""


class CurriculumSampler(EpochSampler):
    """Yield the rows of one epoch, each step's from what the curriculum lets it draw.

    As with `MixedLengthSampler`, an epoch has as many draws as there are rows, sources get their share by rows^τ (here
    the rows that carry a label which is learnt), and batches hold similar lengths. The steps between two changes of
    the curriculum are drawn together, at most 50 batches, and their batches come in random order. What may be drawn of
    a source is walked through in random order, in circles, from epoch to epoch; the walk begins again when it changes,
    so that each draw is a fair one (our design).

    The order depends on the arguments and the epoch only.

    Args:
        lengths: tokens of each row.
        sources: source of each row.
        batch_size: rows in a batch.
        curriculum: what may be drawn.
        tau: τ, from 0 to 1.
        seed: seed of the order.
        accumulation: batches of a step.
    """

    def __init__(
        self,
        lengths: Sequence[int] | npt.NDArray[Any],
        sources: Sequence[str] | npt.NDArray[Any],
        batch_size: int,
        curriculum: Curriculum,
        tau: float = 0.5,
        seed: int = 0,
        accumulation: int = 1,
    ) -> None:
        super().__init__(len(lengths))
        self._lengths = np.asarray(lengths)
        names = np.asarray(sources)
        self._sources = [names == name for name in dict.fromkeys(sources)]
        self._batch_size = batch_size
        self._curriculum = curriculum
        self._tau = tau
        self._accumulation = accumulation
        self._generator = np.random.default_rng(seed)
        self._waiting = [np.zeros(0, dtype=np.int64) for _ in self._sources]
        self._walked = [np.zeros(0, dtype=np.int64) for _ in self._sources]
        self._epochs: list[Ints] = []

    def __iter__(self) -> Iterator[int]:
        # What is left of one epoch is drawn in the next, so they are made in turn.
        while len(self._epochs) <= self._epoch:
            self._epochs.append(self._draw_epoch(len(self._epochs)))
        yield from self._epochs[self._epoch].tolist()

    def _draw_epoch(self, epoch: int) -> Ints:
        rows = self._batch_size * self._accumulation
        most = max(1, _MEGABATCH // self._accumulation)
        steps = -(-len(self) // rows)
        first, blocks = 0, []
        while first < steps:
            stage = self._curriculum.stage(epoch * steps + first)
            last = first + 1
            while last < min(first + most, steps) and self._curriculum.stage(epoch * steps + last) == stage:
                last += 1
            count = min(last * rows, len(self)) - first * rows
            drawn = self._draw(self._curriculum.drawable(stage), self._curriculum.carries(stage), count)
            blocks.append(order_by_length(drawn, self._lengths, self._batch_size, len(drawn), self._generator))
            first = last
        return np.concatenate(blocks)

    def _draw(self, drawable: npt.NDArray[np.bool_], carries: npt.NDArray[np.bool_], count: int) -> Ints:
        sizes = np.array([np.sum(source & carries) for source in self._sources], dtype=np.float64)
        weights = np.where(sizes > 0, np.maximum(sizes, 1) ** self._tau, 0.0)
        drawn = []
        for number, share in enumerate(share_out(count, weights)):
            own = np.flatnonzero(self._sources[number] & drawable)
            same = np.array_equal(own, self._walked[number])
            waiting = self._waiting[number] if same else own[:0]
            while len(waiting) < share:
                waiting = np.concatenate([waiting, self._generator.permutation(own)])
            drawn.append(waiting[:share])
            self._waiting[number], self._walked[number] = waiting[share:], own
        return self._generator.permutation(np.concatenate(drawn))
