"""What is compared: run files whose tasks have the same dev and test rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.errors import DataError, UsageError, did_you_mean
from equipoise.evaluation import PROMPTED, without_prompted
from equipoise.training import count_steps


@dataclass(frozen=True)
class RunFile:
    """A run file with its data.

    Args:
        name: the file's stem.
        config: what the file says.
        table: its rows.
        prompted: those of its baselines for which a language model is prompted; they are rows of their own.
    """

    name: str
    config: RunConfig
    table: Table
    prompted: tuple[str, ...] = ()
    _rows: dict[tuple[str, ...], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def steps(self, config: RunConfig) -> int:
        """How many steps a run will take that reads this file's tasks, or some of them."""
        read = tuple(config.tasks)
        if read not in self._rows:
            self._rows[read] = len({row for name in read for row in self.table.rows(name, "train").tolist()})
        return count_steps(config.train, self._rows[read])


def load_run_files(paths: Sequence[str | Path], overrides: Sequence[str]) -> list[RunFile]:
    """Read run files and their data; the first defines the tasks that are compared.

    Raises:
        UsageError: a run file is wrong, two have the same name, or one has no task of the first.
        DataError: a file or a label is wrong, or a compared task has other dev or test rows than in the first.
    """
    runs: list[RunFile] = []
    for path in map(Path, paths):
        if path.stem in (run.name for run in runs):
            raise UsageError(f"{path}: another run file is called '{path.stem}', too; rename one: rows are named so.")
        config = load_config(path, overrides)
        prompted = tuple(name for name in config.evaluation.baselines if name in PROMPTED)
        # Once for all models, not beside each.
        runs.append(RunFile(path.stem, without_prompted(config), load_table(config), prompted))
    for run in runs[1:]:
        _check_same_items(runs[0], run)
    return runs


def _check_same_items(first: RunFile, other: RunFile) -> None:
    if not first.table.scored.keys() & other.table.scored.keys():
        name = next(iter(first.table.scored))
        raise UsageError(
            f"{other.name}: found no scored task of {first.name}, expected one or more. "
            f"{did_you_mean(name, other.table.scored)}"
        )
    for name, task in first.table.scored.items():
        if name not in other.table.scored:
            continue
        same = other.table.tasks[name]
        if (same.kind, same.metric) != (task.kind, task.metric):
            raise UsageError(
                f"{other.name}: tasks.{name}: found {same.kind} by {same.metric}, expected {task.kind} by "
                f"{task.metric} as in {first.name}."
            )
        for split in ("dev", "test"):
            here, there = (run.table.items(name, split) for run in (other, first))
            if here != there or getattr(same, "classes", None) != getattr(task, "classes", None):
                raise DataError(
                    f"{other.name}: task '{name}': found other {split} rows, labels or classes ({len(here)} rows) than "
                    f"in {first.name} ({len(there)} rows), expected the same. Give the same {split} file; write "
                    "classes and thresholds out; keep texts of dev and test out of other sources' dev and test."
                )
