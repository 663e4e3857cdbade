"""Training the cells of a plan, some at a time, until none is left."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from equipoise.errors import TrainingError
from equipoise.evaluation import run_score
from equipoise.progress import Progress, format_seconds
from equipoise.temporaries import remove_folder
from equipoise.training import read_run, read_summary
from equipoise.workspace import CONTINUE, Journal

from .plan import Cell, Plan
from .processes import RunningCell

_SECONDS_BETWEEN_LOOKS = 1.0


def run_cells(
    plan: Plan, journal: Journal[str, dict[str, Any]], jobs: int, keep_models: bool
) -> dict[str, dict[str, Any]]:
    """Train every cell that is not finished yet; a failure is recorded and the rest goes on.

    Args:
        plan: the cells.
        journal: the records of what is finished.
        jobs: how many are trained at a time; they share the cores.
        keep_models: leave each cell's `model/` where it is.

    Returns:
        The records of all calls by key; those that failed in this call among them.

    Raises:
        TrainingError: Ctrl-C; what is finished is recorded, and what was being trained has saved a checkpoint.
    """
    records = journal.read()
    failed_before = {key for key, record in records.items() if record["status"] == "failed"}
    records = {key: record for key, record in records.items() if key not in failed_before}
    cells = plan.cells(records)
    if all(cell.key in records for cell in cells):
        return records
    threads = max(1, _count_cores() // jobs)
    running: list[RunningCell] = []
    with _bar(plan, records) as bar:
        try:
            while True:
                cells = plan.cells(records)
                busy = {one.cell.key for one in running}
                waiting = [cell for cell in cells if cell.key not in records and cell.key not in busy]
                for cell in waiting[: jobs - len(running)]:
                    running.append(RunningCell(cell, threads, anew=cell.key in failed_before))
                if not running:
                    return records
                _show(bar, plan, records, running)
                wait([one.sentinel for one in running], timeout=_SECONDS_BETWEEN_LOOKS)
                for one in [one for one in running if not one.is_alive()]:
                    running.remove(one)
                    record = _record(plan, one, keep_models)
                    journal.append(record)
                    records[one.cell.key] = record
                    bar.say(_sentence(one.cell, record))
        except KeyboardInterrupt:
            _stop(running)
            done = sum(cell.key in records for cell in plan.cells(records))
            raise TrainingError(
                f"Stopped with {done} trainings finished. {CONTINUE} Those that were running continue from their last "
                "checkpoint."
            ) from None
        finally:
            for one in running:
                one.kill()


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _bar(plan: Plan, records: dict[str, dict[str, Any]]) -> Iterator[Progress]:
    done = sum(cell.steps for cell in plan.cells(records) if cell.key in records)
    bar = Progress("Comparing", plan.total_steps(), "step", done=done)
    try:
        yield bar
    finally:
        bar.close()


def _show(bar: Progress, plan: Plan, records: dict[str, dict[str, Any]], running: list[RunningCell]) -> None:
    cells = plan.cells(records)
    done = sum(cell.steps for cell in cells if cell.key in records)
    done += sum(min(one.steps_done(), one.cell.steps) for one in running)
    finished = sum(cell.key in records for cell in cells)
    names = "; ".join(one.cell.title for one in running)
    # Before the first step, nothing can be said about the time that is left.
    if done != bar.done:
        bar.advance(done - bar.done, f"{finished} trainings finished; now {names}")


def _record(plan: Plan, ended: RunningCell, keep_models: bool) -> dict[str, Any]:
    """Return the line of a cell that has ended."""
    cell, folder = ended.cell, ended.cell.config.output
    record: dict[str, Any] = {
        "key": cell.key,
        "row": cell.row,
        "role": cell.role,
        "seed": cell.seed,
        "tasks": list(cell.tasks),
        "overrides": cell.overrides,
        "folder": str(folder.relative_to(plan.folder)),
    }
    message = ended.failure()
    if message is not None:
        return {**record, "status": "failed", "message": message}
    metrics = [
        line
        for line in read_run(folder).records
        if line["model"] == "run" and line["subset"] == "all" and line["task"] in cell.tasks
    ]
    summary = read_summary(folder)
    # Not every task can be asked about.
    there = {line["task"] for line in metrics}
    tasks = {name: task for name, task in plan.rows[0].run.table.scored.items() if name in there}
    if not keep_models:
        remove_folder(folder / "model")
    return {
        **record,
        "status": "finished",
        "metrics": metrics,
        "run_score": {
            split: run_score([line for line in metrics if line["split"] == split], tasks) for split in ("dev", "test")
        },
        "seconds": summary["seconds"],
        "seconds_per_step": summary["seconds_per_step"],
        "peak_memory_mb": summary["peak_memory_mb"],
        "steps": summary["steps"],
        "best_step": summary["best_step"],
        "versions": summary["versions"],
    }


def _sentence(cell: Cell, record: dict[str, Any]) -> str:
    if record["status"] == "failed":
        return f"{cell.title}: failed: {record['message']}"
    return f"{cell.title}: dev run score {record['run_score']['dev']:.4f} ({format_seconds(record['seconds'])})"


def _stop(running: list[RunningCell]) -> None:
    """Let running cells end their step and save; one more Ctrl-C stops them at once."""
    print("Running trainings finish their step and save; Ctrl-C again stops at once.", file=sys.stderr, flush=True)
    try:
        for one in running:
            one.stop()
        for one in running:
            one.wait()
    except KeyboardInterrupt:
        pass  # they are killed, and go on from their last checkpoint
