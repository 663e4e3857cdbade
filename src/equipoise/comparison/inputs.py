"""What is compared: run files whose tasks have the same dev and test rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.config import BalanceConfig, RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.errors import DataError, UsageError, did_you_mean
from equipoise.tasks import Classification


@dataclass(frozen=True)
class RunFile:
    """A run file with its data.

    Args:
        name: the file's stem.
        config: what the file says.
        table: its rows.
    """

    name: str
    config: RunConfig
    table: Table
    _rows: dict[tuple[str, ...], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def kinds(self) -> dict[str, str]:
        """Each task's kind, auxiliary tasks among them."""
        return {name: task.kind for name, task in self.config.tasks.items()}

    def steps(self, config: RunConfig) -> int:
        """How many steps a run will take that reads this file's tasks, or some of them."""
        read = tuple(config.tasks)
        if read not in self._rows:
            self._rows[read] = len({row for name in read for row in self.table.rows(name, "train").tolist()})
        train = config.train
        an_epoch = math.ceil(math.ceil(self._rows[read] / train.batch_size) / train.gradient_accumulation)
        return min(math.ceil(train.epochs * an_epoch), train.max_steps or 2**31)


def load_run_files(paths: Sequence[str | Path], overrides: Sequence[str]) -> list[RunFile]:
    """Read run files and their data; the first defines the tasks that are compared.

    Raises:
        UsageError: a run file is wrong, two have the same name, or one lacks a task of the first.
        DataError: a file or a label is wrong, or a compared task has other dev or test rows than in the first.
    """
    runs: list[RunFile] = []
    for path in map(Path, paths):
        if path.stem in (run.name for run in runs):
            raise UsageError(f"{path}: another run file is called '{path.stem}', too; rename one: rows are named so.")
        config = load_config(path, overrides)
        runs.append(RunFile(path.stem, config, load_table(config)))
    for run in runs[1:]:
        _check_same_items(runs[0], run)
    return runs


def single_task(run: RunFile, task: str) -> RunConfig:
    """Return the run file with one task and its source only, classes and thresholds as the whole file has them."""
    fitted, config = run.table.tasks[task], run.config.tasks[task]
    if isinstance(fitted, Classification):
        if config.from_score is not None:
            cut = config.from_score.model_copy(update={"thresholds": fitted.thresholds})
            config = config.model_copy(update={"from_score": cut})
        else:
            config = config.model_copy(update={"classes": fitted.classes})
    return run.config.model_copy(
        update={
            "tasks": {task: config},
            "sources": {config.source: run.config.sources[config.source]},
            "balance": BalanceConfig(name="equal"),
        }
    )


def check_single_tasks(run: RunFile) -> list[str]:
    """Make sure that every task alone has the test rows that it has among the others.

    Returns:
        Sentences on tasks that have other training or dev rows alone.

    Raises:
        DataError: the test rows differ.
    """
    notes = []
    for task in run.table.scored if len(run.config.tasks) > 1 else ():
        alone = load_table(single_task(run, task))
        if _items(run.table, task, "test") != _items(alone, task, "test"):
            raise DataError(
                f"{run.name}: task '{task}' alone has other test rows than among the other tasks (a limit counts rows "
                "of all tasks of its source); give test files of their own, without a limit."
            )
        for split in ("train", "dev"):
            here, there = (_items(table, task, split) for table in (alone, run.table))
            # Training rows may stand in another order: repeats are merged where the first of any task stands.
            if set(here) != set(there):
                notes.append(
                    f"Task '{task}' alone has {len(here)} {split} rows, among the other tasks {len(there)}: there, "
                    "texts in another source's dev or test are dropped, and a limit counts rows of all tasks."
                )
    return notes


def _check_same_items(first: RunFile, other: RunFile) -> None:
    for name, task in first.table.scored.items():
        if name not in other.table.scored:
            hint = did_you_mean(name, other.table.scored)
            raise UsageError(
                f"{other.name}: found no scored task '{name}', expected every scored task of {first.name}. {hint}"
            )
        found = other.table.tasks[name]
        if (found.kind, found.metric) != (task.kind, task.metric):
            raise UsageError(
                f"{other.name}: tasks.{name}: found {found.kind} by {found.metric}, expected {task.kind} by "
                f"{task.metric} as in {first.name}."
            )
        for split in ("dev", "test"):
            here, there = (_items(run.table, name, split) for run in (other, first))
            if here != there or getattr(found, "classes", None) != getattr(task, "classes", None):
                raise DataError(
                    f"{other.name}: task '{name}': found other {split} rows, labels or classes ({len(here)} rows) than "
                    f"in {first.name} ({len(there)} rows), expected the same. Give the same {split} file; write "
                    "classes and thresholds out; keep texts of dev and test out of other sources' dev and test."
                )


def _items(table: Table, task: str, split: str) -> list[tuple[str, str | None, float | int]]:
    """Return a task's texts and labels in order."""
    rows = table.splits[split][table.rows(task, split)]
    return list(zip(rows["text"], rows["pair"], table.labels(task, split).tolist(), strict=True))
