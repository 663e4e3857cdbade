"""One comparison, from run files to the page."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from equipoise.config import BalanceConfig
from equipoise.errors import UsageError
from equipoise.files import write_json
from equipoise.notebook import table_to_html
from equipoise.reporting import ComparisonResults, comparison_table, write_comparison
from equipoise.training import load_single_tasks
from equipoise.workspace import inputs_of

from .cell_runs import run_cells
from .compare_folder import CompareFolder, describe_settings
from .plan import Plan
from .results import gather_results
from .rows import Kind, Row, make_rows, parse_balancers
from .run_files import RunFile, load_run_files


class Comparison(NamedTuple):
    """A comparison, as far as it has come.

    Args:
        folder: its folder.
        results: the table as plain data, as in `compare.json`.
    """

    folder: Path
    results: dict[str, Any]

    @property
    def table(self) -> ComparisonResults:
        """The results as objects with typed fields."""
        return ComparisonResults.from_json(self.results)

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        place = f"<code>{escape(str(self.folder))}</code>"
        return f"{table_to_html(comparison_table(self.table))}<p>Page and table: {place}</p>"


_MOST = {"seeds": 1000, "jobs": 1000, "single-task-epochs": 1_000_000, "trials": 10_000}
"""The largest number that each option takes."""


def compare(
    run_files: str | Path | Sequence[str | Path],
    balance: str | Sequence[str | Mapping[str, Any] | BalanceConfig] = (),
    overrides: Sequence[str] = (),
    *,
    seeds: int = 5,
    jobs: int = 1,
    output: str | Path | None = None,
    single_task_epochs: Sequence[float] = (),
    trials: int = 8,
    overwrite: bool = False,
    keep_models: bool = False,
) -> Comparison:
    """Train run files under several balancers and seeds, and say what differs beyond chance.

    Every training is a process of its own, which `multiprocessing` spawns (a script needs its `__name__` guard); one
    that is finished is a line in `compare.jsonl` and is never repeated.
    The rows `single-task`, `equal` and `static-tuned` are those of the first run file. The folder then holds
    `compare.html`, `compare.json` (the table as data), `compare.jsonl` and `runs/`.

    Args:
        run_files: path of the run file, or of several. The first defines the tasks that are compared; the others have
            some of these tasks with the same dev and test rows, and may have more to train on.
        balance: balancers as in a run file, in a list or as in `--balance`; none takes each run file's own, and
            "single-task" stands for the single tasks of every run file.
        overrides: `key=value` settings that win over every run file.
        seeds: how many seeds a row: 0, 1, ….
        jobs: how many trainings run at a time.
        output: the comparison's folder; the first run file's `output` with "-compare" when not given.
        single_task_epochs: numbers of epochs from which each single task's is chosen on dev with seed 0; none takes
            the run file's.
        trials: how many static weights are tried on dev, at a quarter of the budget each; 0 leaves `static-tuned` out.
        overwrite: discard the comparison that lies in the folder.
        keep_models: keep every training's `model/`.

    Raises:
        UsageError: a run file, a balancer, an option or a number is wrong.
        DataError: a file or a label is wrong, or the run files' dev and test rows differ.
        TrainingError: the folder holds something else, or Ctrl-C.

    Examples:
        >>> import equipoise
        >>> comparison = equipoise.compare("reviews.yaml", "equal,dao", seeds=5)  # doctest: +SKIP
    """
    _refuse_launcher()
    _check_numbers(seeds, jobs, single_task_epochs, trials)
    balancers = parse_balancers(balance)
    runs = load_run_files([run_files] if isinstance(run_files, str | Path) else run_files, overrides)
    rows = make_rows(runs, balancers, static=trials > 0)
    notes = _explain_rows(runs, rows)
    folder = CompareFolder(_choose_folder(runs[0]) if output is None else Path(output).absolute())
    folder.check(sorted({(f"{run.name}: {name}", path) for run in runs for name, path in inputs_of(run.config)}))
    epochs = sorted(set(single_task_epochs))
    plan = Plan(rows, seeds, trials, epochs, folder.path)
    settings = describe_settings(runs, trials, epochs)
    folder.start(settings, restart=overwrite)
    records = run_cells(plan, folder, jobs, keep_models)
    with folder.hold("page"):
        table = gather_results(plan, records, notes)
        results = table.to_json()
        write_json(folder.path / "compare.json", results)
        write_comparison(folder.path, table)
    return Comparison(folder.path, results)


def _refuse_launcher() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "a comparison starts its trainings itself, found several processes; call it without a launcher."
        )


def _check_numbers(seeds: int, jobs: int, single_task_epochs: Sequence[float], trials: int) -> None:
    numbers = [("seeds", seeds), ("jobs", jobs), *(("single-task-epochs", epochs) for epochs in single_task_epochs)]
    for name, number in numbers:
        if number <= 0 or not isfinite(number):
            raise UsageError(f"{name}: found {number:g}, expected a number above 0.")
        if number > _MOST[name]:
            raise UsageError(f"{name}: found {number:g}, expected {_MOST[name]:,} at most.")
    if not 0 <= trials <= _MOST["trials"]:
        raise UsageError(f"trials: found {trials:g}, expected 0 or more, {_MOST['trials']:,} at most.")


def _explain_rows(runs: Sequence[RunFile], rows: Sequence[Row]) -> list[str]:
    """Return sentences on single tasks with other rows, and on what the rows lack.

    Raises:
        DataError: a task alone has other test rows.
    """
    notes: list[str] = []
    for run in [row.run for row in rows if row.kind is Kind.SINGLE_TASK]:
        if len(run.config.tasks) > 1:
            notes += load_single_tasks(run.config, run.table, run.name)[1]
    first = runs[0]
    if len(first.config.tasks) == 1:
        notes.append(f"{first.name} has one task: single-task, equal and static weights are the same, and run once.")
    for run in runs[1:]:
        if missing := [name for name in first.table.scored if name not in run.table.scored]:
            notes.append(f"{run.name} has no {' and no '.join(missing)}: its rows have no Δm, rank or run score.")
    return notes


def _choose_folder(first: RunFile) -> Path:
    output = first.config.output
    return output.with_name(f"{output.name}-compare")
