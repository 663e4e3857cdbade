"""Which trainings a comparison consists of; a function of what is finished, so that going on needs no memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from equipoise.config import BalanceConfig, RunConfig
from equipoise.training import single_task

from .compare_folder import RUNS
from .records import FinishedRecord, Records, Role, get_finished
from .rows import Kind, Row
from .tuning import best_on_dev, candidate_weights, trial_budget


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        row: the row's name.
        path: its place among the row's cells, such as task, number of epochs and seed, in words that a folder can have.
        key: its name in `compare.jsonl`, and its folder under `runs/`: the row's folder, then `path`.
        role: "cell" (a row's model), "single" (one task's model of the row single-task; the seed-0 ones also choose
            the number of epochs), "trial" (chooses static weights).
        seed: the seed.
        tasks: the compared tasks it is scored on.
        config: the run file it is trained by, complete.
        steps: how many steps it will take at most.
        baseline: how the base language model is prompted, instead of training one.
    """

    row: str
    path: tuple[str, ...]
    key: str
    role: Role
    seed: int
    tasks: tuple[str, ...]
    config: RunConfig
    steps: int
    baseline: str = ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.row}: {', '.join(self.path)}"

    @property
    def overrides(self) -> dict[str, Any]:
        """What is set for this cell whatever the run file says."""
        train = self.config.train
        return {
            "balance": self.config.balance.model_dump(mode="json"),
            "train": {"epochs": train.epochs, "max_steps": train.max_steps, "seed": train.seed},
        }


class Plan:
    """All trainings of a comparison.

    Args:
        rows: the rows.
        seeds: how many seeds: 0, 1, ….
        trials: how many static weights are tried.
        single_task_epochs: numbers of epochs to choose from for every single task; none takes the run file's.
        folder: the comparison's folder.
    """

    def __init__(
        self, rows: Sequence[Row], seeds: int, trials: int, single_task_epochs: Sequence[float], folder: Path
    ) -> None:
        self.rows = rows
        self.seeds = range(seeds)
        self.tasks = tuple(rows[0].run.table.scored)
        self.folder = folder
        self._epochs = tuple(single_task_epochs)
        first = rows[0].run
        self.candidates = candidate_weights(list(first.config.tasks), trials)

    def cells(self, records: Records) -> list[Cell]:
        """Return every cell that can be known by now: those that choose first, then seed by seed.

        Args:
            records: what is finished, or has failed in this call.
        """
        deciding: list[Cell] = []
        others: list[Cell] = []
        for row in self.rows:
            for cell in self._cells_of(row, records):
                waited_for = cell.role == "trial" or (cell.role == "single" and self._epochs and cell.seed == 0)
                (deciding if waited_for else others).append(cell)
        return deciding + sorted(others, key=lambda cell: cell.seed)

    def tasks_of(self, row: Row) -> tuple[str, ...]:
        """Return the compared tasks that a row's run file has."""
        return tuple(name for name in self.tasks if name in row.run.table.scored)

    def seeds_of(self, row: Row) -> range:
        """Return the seeds of a row: all, or one where nothing is drawn, for want of demonstrations."""
        return self.seeds[:1] if row.baseline == "zero_shot" else self.seeds

    @property
    def chooses_epochs(self) -> bool:
        """Whether the number of epochs of single tasks is chosen."""
        return bool(self._epochs)

    def total_steps(self) -> int:
        """Return how many steps all cells take, the longest choices supposed."""
        undecided = {cell.key: _supposed(cell) for cell in self.cells({})}
        return sum(cell.steps for cell in self.cells(undecided))

    def seed_cells(self, row: Row, records: Records) -> dict[int, list[Cell]]:
        """Return the cells that make up a row's model (or models) of each seed; empty until all choices are made."""
        by_seed: dict[int, list[Cell]] = {}
        for cell in self._cells_of(row, records):
            if cell.role != "trial":
                by_seed.setdefault(cell.seed, []).append(cell)
        if row.kind is Kind.SINGLE_TASK:
            chosen = {task: self.chosen_epochs(row, task, records) for task in self.tasks_of(row)}
            return {
                seed: [cell for cell in cells if cell.config.train.epochs == chosen[cell.tasks[0]]]
                for seed, cells in by_seed.items()
            }
        return by_seed

    def chosen_epochs(self, row: Row, task: str, records: Records) -> float | None:
        """Return a single task's number of epochs; None where it is not chosen yet."""
        if not self._epochs:
            return row.run.config.train.epochs
        best = self._best([self._single(row, task, epochs, 0) for epochs in self._epochs], records)
        return None if best is None else best.config.train.epochs

    def chosen_trial(self, row: Row, records: Records) -> int | None:
        """Return the number of the static weights that are best on dev; None where they are not chosen yet."""
        trials = self._trials(row)
        best = self._best(trials, records)
        return None if best is None else trials.index(best)

    def _best(self, cells: Sequence[Cell], records: Records) -> Cell | None:
        if any(cell.key not in records for cell in cells):
            return None
        best = best_on_dev(record for cell in cells if (record := get_finished(records, cell.key)) is not None)
        return None if best is None else next(cell for cell in cells if cell.key == best["key"])

    def _cells_of(self, row: Row, records: Records) -> Iterator[Cell]:
        if row.kind is Kind.SINGLE_TASK:
            for task in self.tasks_of(row):
                if self._epochs:
                    yield from (self._single(row, task, epochs, 0) for epochs in self._epochs)
                epochs = self.chosen_epochs(row, task, records)
                if epochs is not None:
                    seeds = self.seeds[1:] if self._epochs else self.seeds
                    yield from (self._single(row, task, epochs, seed) for seed in seeds)
            return
        if row.kind is Kind.PROMPTED:
            for seed in self.seeds_of(row):
                cell = self._cell(row, (f"seed-{seed}",), "cell", seed, self.tasks_of(row), row.run.config)
                yield replace(cell, steps=0, baseline=row.baseline)
            return
        balance, path = row.balance, tuple[str, ...]()
        if row.kind is Kind.STATIC_TUNED:
            yield from self._trials(row)
            number = self.chosen_trial(row, records)
            if number is None:
                return
            # By number: should a trial that failed win later on, models of other weights are not mistaken for its.
            balance, path = _static(self.candidates[number]), (f"weights-{number}",)
        for seed in self.seeds:
            config = row.run.config.model_copy(update={"balance": balance})
            yield self._cell(row, (*path, f"seed-{seed}"), "cell", seed, self.tasks_of(row), config)

    def _single(self, row: Row, task: str, epochs: float, seed: int) -> Cell:
        config = single_task(row.run.config, row.run.table, task)
        path: tuple[str, ...] = (task,)
        if self._epochs:
            config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": epochs})})
            path += (f"epochs-{epochs:g}",)
        return self._cell(row, (*path, f"seed-{seed}"), "single", seed, (task,), config)

    def _trials(self, row: Row) -> list[Cell]:
        config = row.run.config
        budget = trial_budget(config.train)
        return [
            self._cell(
                row,
                (f"trial-{number}",),
                "trial",
                0,
                self.tasks,
                config.model_copy(update={"balance": _static(weights), "train": budget}),
            )
            for number, weights in enumerate(self.candidates)
        ]

    def _cell(
        self, row: Row, path: tuple[str, ...], role: Role, seed: int, tasks: tuple[str, ...], config: RunConfig
    ) -> Cell:
        key = "/".join((row.folder, *path))
        train = config.train.model_copy(update={"seed": seed})
        config = config.model_copy(update={"train": train, "output": self.folder / RUNS / key})
        return Cell(row.name, path, key, role, seed, tasks, config, row.run.steps(config))


def _static(weights: Mapping[str, float]) -> BalanceConfig:
    return BalanceConfig.model_validate({"name": "static", "weights": dict(weights)})


def _supposed(cell: Cell) -> FinishedRecord:
    """Return what choosing reads of a cell's record, such that the longest of all choices wins."""
    record = {"key": cell.key, "status": "finished", "run_score": {"dev": cell.steps}}
    return cast(FinishedRecord, record)
