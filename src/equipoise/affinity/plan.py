"""Which trainings there are: each helper alone, each target alone, each target with a helper; and what each costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from equipoise.config import BalanceConfig, CurriculumConfig, RunConfig, TaskConfig
from equipoise.data import SourceSplits, Table, join_table
from equipoise.evaluation import without_prompted
from equipoise.training import count_passes

UNTRAINED = "+"
"""The key of the untrained model's features in the journal; that of a training is TARGET+, +HELPER or TARGET+HELPER."""
_ESTIMATES = 0.1
"""What the trainings of helpers alone may cost, as a share of training every target alone and with each candidate."""
_LEAST_STEPS = 20
"""Of the training of a helper alone: with fewer it has learnt nothing, and all helpers would be estimated alike."""
_EVALUATIONS = 1
"""How often dev is scored in a training of a target; the best checkpoint counts."""


@dataclass(frozen=True)
class Pair:
    """A target and a task that may help it.

    Args:
        target: the task that is judged.
        helper: the task that is trained with it.
    """

    target: str
    helper: str


@dataclass(frozen=True)
class Training:
    """One training: a target alone, or with a helper, or a helper alone.

    Args:
        key: its name in the journal, and its folder.
        target: the target, which alone is scored on dev; None where a helper is trained alone.
        tasks: what is trained.
        steps: how many steps it takes.
        rows: how many rows it reads, repeats counted: what it costs.
    """

    key: str
    target: str | None
    tasks: tuple[str, ...]
    steps: int
    rows: int


class Plan:
    """All trainings that could be made for a run file.

    Args:
        config: the run file.
        splits: its rows.
        targets: the tasks to find helpers for.
        candidates: by target the tasks that may help it.
        passes: how often a short training reads each of the target's rows.
        folder: the folder of the trainings' folders.
    """

    def __init__(
        self,
        config: RunConfig,
        splits: SourceSplits,
        targets: Sequence[str],
        candidates: dict[str, list[str]],
        passes: float,
        folder: Path,
    ) -> None:
        self.config = config
        self.targets = tuple(targets)
        self.candidates = candidates
        self.passes = passes
        self.folder = folder
        self._splits = splits
        self.table = join_table(config, splits)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every target with each of its candidates."""
        return [Pair(target, helper) for target in self.targets for helper in self.candidates[target]]

    @cached_property
    def helpers(self) -> tuple[str, ...]:
        """The candidates of all targets, in the run file's order."""
        used = {pair.helper for pair in self.pairs}
        return tuple(name for name in self.config.tasks if name in used)

    def alone(self, target: str) -> Training:
        """The training of a target alone."""
        return self._training(f"{target}+", target, (target,), self._rows_for(target, ()))

    def helper_alone(self, helper: str) -> Training:
        """The training of a helper alone, for the estimates: no longer than its share of what they may cost."""
        share = math.floor(_ESTIMATES * self.all_rows() / len(self.helpers))
        rows = max(min(share, self._rows_for(helper, ())), _LEAST_STEPS * self._step_rows)
        return self._training(f"+{helper}", None, (helper,), rows)

    def with_helper(self, pair: Pair) -> Training:
        """The training of a target with a helper: with as many passes over the target's rows as alone."""
        rows = self._rows_for(pair.target, (pair.helper,))
        return self._training(f"{pair.target}+{pair.helper}", pair.target, (pair.target, pair.helper), rows)

    def all_rows(self) -> int:
        """What it costs to train every target alone and with each of its candidates, in rows."""
        alone = sum(self.alone(target).rows for target in self.targets)
        return alone + sum(self.with_helper(pair).rows for pair in self.pairs)

    def mixed_steps(self, helpers: Sequence[str]) -> int:
        """Steps of a joint training of the targets with helpers that reads every target as often as the run file plans.

        Args:
            helpers: the tasks that are trained with them.
        """
        together = (*self.targets, *helpers)
        passes = count_passes(self.config.train, list(self._source_of_rows))
        rows = [
            self._rows_for(
                target, [name for name in together if name != target], passes[self.config.tasks[target].source]
            )
            for target in self.targets
        ]
        return math.ceil(max(rows) / self._step_rows)

    def build(self, training: Training) -> tuple[RunConfig, Table]:
        """Return the run file of a training, and its table.

        Equal weights, all sources drawn alike; what is not trained is held out, so the rows are those of the whole run
        file.
        """
        tasks = {name: self._task(name, auxiliary=name != training.target) for name in training.tasks}
        others = {name: task for name, task in self.config.tasks.items() if name not in tasks}
        train = self.config.train.model_copy(
            update={
                "max_steps": training.steps,
                "mixing": 0.0,
                "evaluations": _EVALUATIONS,
                "patience": None,
                "report_to": (),
            }
        )
        config = without_prompted(self.config).model_copy(
            update={
                "tasks": tasks,
                "held_out": {**self.config.held_out, **others},
                "balance": BalanceConfig(name="equal"),
                "curriculum": CurriculumConfig(),
                "train": train,
                "output": self.folder / training.key,
            }
        )
        return config, join_table(config, self._splits)

    def _task(self, name: str, *, auxiliary: bool) -> TaskConfig:
        own = self.config.tasks[name].with_label_space(self.table.tasks[name])
        return own.model_copy(update={"auxiliary": auxiliary})

    @property
    def _step_rows(self) -> int:
        return self.config.train.batch_size * self.config.train.gradient_accumulation

    def _rows_for(self, target: str, helpers: Sequence[str], passes: float | None = None) -> int:
        """Rows that a training reads until it has read each of the target's so often, all sources drawn alike."""
        names = (target, *helpers)
        read = np.unique(np.concatenate([self.table.rows(name, "train") for name in names]))
        source = self.config.tasks[target].source
        sources = {self.config.tasks[name].source for name in names}
        same = int((self._source_of_rows[read] == source).sum())
        return math.ceil((passes or self.passes) * same * len(sources))

    @cached_property
    def _source_of_rows(self) -> np.ndarray:
        return np.asarray(self.table.splits["train"]["source"])

    def _training(self, key: str, target: str | None, tasks: tuple[str, ...], rows: int) -> Training:
        steps = max(1, math.ceil(rows / self._step_rows))
        return Training(key, target, tasks, steps, steps * self._step_rows)
