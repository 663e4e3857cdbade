"""What may be drawn at each step of a training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from equipoise.config import STAGED, CurriculumConfig

from .ranks import Floats, unit_ranks

_MOST_STEPS, _LEAST_LEVELS = 10, 20
"""The share that may be drawn stays for ten steps, so that batches can be of similar length, or for a twentieth of a
short training."""


class Stage(NamedTuple):
    """What may be drawn at a step.

    Args:
        number: from 1; always 1 where examples are ordered.
        tasks: the tasks whose labels are learnt.
        share: the share of each task's examples that may be drawn.
    """

    number: int
    tasks: tuple[str, ...]
    share: float


def competence(progress: float, start: float, full: float) -> float:
    """Return the share of the examples that may be drawn: min(1, √(t (1 − c₀²) / T + c₀²)).

    Platanios et al. (2019, arXiv 1903.09848). The paper starts from c₀ = 0.01 and sets T by the steps that a baseline
    needs; c₀ = 0.1 and T = half of the training are our design, for training sets of some hundred examples.

    Args:
        progress: t, the share of the training that is done.
        start: c₀.
        full: T, the share of the training after which everything may be drawn.
    """
    return min(1.0, math.sqrt(progress * (1 - start**2) / full + start**2))


class Curriculum:
    """The order in which a training meets its examples.

    - `competence`: at each step examples are drawn from the easiest share of each task, see `competence`; `anti` does
      the same from the hardest on. The share grows every ten steps, in a short training every twentieth part of it. A
      row that carries labels of several tasks is as difficult as the mean of its ranks within them, and may be drawn
      once one of them lets it.
    - `mixed`: stages of equal length, by the tasks' difficulty; stage k draws from tasks 1 to k (Bhasin et al., 2024,
      arXiv 2404.03558, for in-context learning of functions).
    - `sequential`: stage k draws from task k alone.

    In a stage, labels of other tasks on the drawn rows are not learnt.

    Args:
        settings: the run file's section.
        difficulty: by task its training examples' difficulty, more is harder.
        rows: by task these examples, by their numbers in the training split.
        order: the tasks, easy before hard.
        size: rows of the training split.
        steps: steps of the training.
    """

    def __init__(
        self,
        settings: CurriculumConfig,
        difficulty: Mapping[str, npt.ArrayLike],
        rows: Mapping[str, npt.NDArray[np.int64]],
        order: Sequence[str],
        size: int,
        steps: int,
    ) -> None:
        self.settings = settings
        self.order = tuple(order)
        self.steps = steps
        self.staged = settings.schedule in STAGED
        self._every = min(_MOST_STEPS, max(1, steps // _LEAST_LEVELS))
        self._difficulty = np.full((len(order), size), np.nan)
        for number, task in enumerate(order):
            ranks = np.full(len(rows[task]), (number + 0.5) / len(order))
            self._difficulty[number, rows[task]] = ranks if self.staged else unit_ranks(difficulty[task])
        self._enters = self._find_entrances()

    def stage(self, step: int) -> Stage:
        """Return what may be drawn at a step, counted from 0."""
        if not self.staged:
            begun = step - step % self._every
            share = competence(min(1.0, begun / self.steps), self.settings.start, self.settings.full)
            return Stage(1, self.order, share)
        progress = min(1.0, step / self.steps)
        number = min(len(self.order), int(progress * len(self.order)) + 1)
        first = 0 if self.settings.schedule == "mixed" else number - 1
        return Stage(number, self.order[first:number], 1.0)

    def drawable(self, stage: Stage) -> npt.NDArray[np.bool_]:
        """Return for each training row whether it may be drawn."""
        learnt = self._learnt(stage)
        return learnt if self.staged else learnt & (self._enters < stage.share)

    def carries(self, stage: Stage) -> npt.NDArray[np.bool_]:
        """Return for each training row whether it has a label that is learnt."""
        return self._learnt(stage)

    def hide(self, batch: dict[str, Any], step: int) -> dict[str, Any]:
        """Return a batch without the labels that are not learnt at a step.

        Args:
            batch: as `Collator` makes it.
            step: the step, from 0.
        """
        hidden = set(self.order) - set(self.stage(step).tasks)
        if not hidden:
            return batch

        def without(kind: str) -> dict[str, Any]:
            return {name: entry[:0] if name in hidden else entry for name, entry in batch[kind].items()}

        scored = {
            name: {part: entry[:0] for part, entry in parts.items()} if name in hidden else parts
            for name, parts in batch["scored"].items()
        }
        return {**batch, "rows": without("rows"), "targets": without("targets"), "scored": scored}

    def observe(self, batch: Mapping[str, Any]) -> tuple[float, int]:
        """Return the sum of the difficulty of a batch's labels, and how many there are.

        A label's difficulty is the example's rank within its task, or where tasks are ordered the task's place, between
        0 and 1.
        """
        total, count = 0.0, 0
        for number, task in enumerate(self.order):
            # Rows of texts to write are named once a token.
            index = batch["index"][torch.unique(batch["rows"][task])].cpu().numpy()
            total += float(self._difficulty[number, index].sum())
            count += len(index)
        return total, count

    def _learnt(self, stage: Stage) -> npt.NDArray[np.bool_]:
        tasks = [self.order.index(task) for task in stage.tasks]
        return np.asarray(~np.isnan(self._difficulty[tasks]).all(axis=0))

    def _find_entrances(self) -> Floats:
        """Return for each row the share from which on it may be drawn."""
        known = ~np.isnan(self._difficulty)
        hard = np.nan_to_num(self._difficulty).sum(axis=0) / np.maximum(1, known.sum(axis=0))
        if self.settings.schedule == "anti":
            hard = -hard
        enters = np.full(len(hard), np.inf)
        for has in known:
            own = np.flatnonzero(has)
            places = np.empty(len(own))
            places[np.argsort(hard[own], kind="stable")] = np.arange(len(own)) / len(own)
            enters[own] = np.minimum(enters[own], places)
        return enters
