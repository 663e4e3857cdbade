"""Training the cells of a plan, some at a time, until none is left."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait

from equipoise.errors import TrainingError
from equipoise.evaluation import run_score
from equipoise.locks import LockedError, Waiting
from equipoise.progress import Progress, format_seconds
from equipoise.temporaries import remove_folder
from equipoise.training import read_run, read_summary
from equipoise.workspace import CONTINUE

from .compare_folder import CompareFolder
from .plan import Cell, Plan
from .processes import RunningCell
from .records import CellRecord, Records, TrainingRecord

_SECONDS_BETWEEN_LOOKS = 1.0


def run_cells(plan: Plan, folder: CompareFolder, jobs: int, keep_models: bool) -> dict[str, TrainingRecord]:
    """Train every cell that is not finished yet; a failure is recorded and the others continue.

    Cells that another process is training are left to it, and waited for.

    Args:
        plan: the cells.
        folder: the comparison's folder, which holds the records of what is finished.
        jobs: how many are trained at a time; they share the cores.
        keep_models: leave each cell's `model/` where it is.

    Returns:
        The records of all calls by key; those that failed in this call among them.

    Raises:
        TrainingError: Ctrl-C; what is finished is recorded, and what was being trained has saved a checkpoint.
    """
    before = folder.journal.read()
    failed_before = {key: record for key, record in before.items() if record["status"] == "failed"}
    records = _read_new(folder, failed_before)
    if all(cell.key in records for cell in plan.cells(records)):
        return records
    running: list[_Claimed] = []
    others = Waiting("")
    with _bar(plan, records) as bar:
        try:
            while (busy := _start(plan, records, folder, running, jobs, failed_before)) or running:
                _show(bar, plan, records, [one.training for one in running])
                if running:
                    wait([one.training.sentinel for one in running], timeout=_SECONDS_BETWEEN_LOOKS)
                else:
                    others.look(f"{busy[0]}; waits for it.")
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
                for ended in [one for one in running if not one.training.is_alive()]:
                    running.remove(ended)
                    record = _record(plan, ended.training, keep_models)
                    folder.record(record)
                    ended.claim.close()
                    records[record["key"]] = record
                    bar.say(_sentence(ended.training.cell, record))
                records |= _read_new(folder, failed_before)
            return records
        except KeyboardInterrupt:
            _stop([one.training for one in running])
            done = sum(cell.key in records for cell in plan.cells(records))
            raise TrainingError(
                f"Stopped with {done} trainings finished. {CONTINUE} Those that were running continue from their last "
                "checkpoint."
            ) from None
        finally:
            for one in running:
                one.training.kill()
                one.claim.close()


@dataclass(frozen=True)
class _Claimed:
    """A cell that this process trains.

    Args:
        training: its process.
        claim: keeps other processes from it, until it is closed.
    """

    training: RunningCell
    claim: ExitStack


def _read_new(folder: CompareFolder, failed_before: Records) -> dict[str, TrainingRecord]:
    """Return what is finished, and what has failed since this call began."""
    return {key: record for key, record in folder.journal.read().items() if failed_before.get(key) != record}


def _start(
    plan: Plan,
    records: Records,
    folder: CompareFolder,
    running: list[_Claimed],
    jobs: int,
    failed_before: Records,
) -> list[str]:
    """Start as many of the waiting cells as may run beside the others; return who trains which of the rest."""
    threads = max(1, _count_cores() // jobs)
    started = records.keys() | {one.training.cell.key for one in running}
    busy: list[str] = []
    for cell in plan.cells(records):
        if cell.key in started or len(running) >= jobs:
            continue
        with ExitStack() as held:
            try:
                held.enter_context(folder.hold(cell.key, wait=False))
            except LockedError as error:
                busy.append(str(error))
                continue
            # Another process may have ended it just before it was claimed here.
            if cell.key in _read_new(folder, failed_before):
                busy.append(cell.title)
                continue
            training = RunningCell(cell, threads, restart=cell.key in failed_before)
            running.append(_Claimed(training, held.pop_all()))
    return busy


def _count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _bar(plan: Plan, records: Records) -> Iterator[Progress]:
    done = sum(cell.steps for cell in plan.cells(records) if cell.key in records)
    bar = Progress("Comparing", plan.total_steps(), "step", done=done)
    try:
        yield bar
    finally:
        bar.close()


def _show(bar: Progress, plan: Plan, records: Records, running: list[RunningCell]) -> None:
    cells = plan.cells(records)
    done = sum(cell.steps for cell in cells if cell.key in records)
    done += sum(min(one.steps_done(), one.cell.steps) for one in running)
    finished = sum(cell.key in records for cell in cells)
    names = "; ".join(one.cell.title for one in running)
    # Before the first step, nothing can be said about the time that is left.
    if done != bar.done:
        bar.advance(done - bar.done, f"{finished} trainings finished; now {names}")


def _record(plan: Plan, ended: RunningCell, keep_models: bool) -> TrainingRecord:
    """Return the line of a cell that has ended."""
    cell, folder = ended.cell, ended.cell.config.output
    line: CellRecord = {
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
        return {**line, "status": "failed", "message": message}
    metrics = [
        record
        for record in read_run(folder).records
        if record["model"] == "run" and record["subset"] == "all" and record["task"] in cell.tasks
    ]
    summary = read_summary(folder)
    # A language model cannot be prompted for every task.
    scored = {record["task"] for record in metrics}
    tasks = {name: task for name, task in plan.rows[0].run.table.scored.items() if name in scored}
    if not keep_models:
        remove_folder(folder / "model")
    return {
        **line,
        "status": "finished",
        "metrics": metrics,
        "run_score": {
            split: run_score([record for record in metrics if record["split"] == split], tasks)
            for split in ("dev", "test")
        },
        "seconds": summary["seconds"],
        "seconds_per_step": summary["seconds_per_step"],
        "peak_memory_mb": summary["peak_memory_mb"],
        "steps": summary["steps"],
        "best_step": summary["best_step"],
        "versions": summary["versions"],
    }


def _sentence(cell: Cell, record: TrainingRecord) -> str:
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
        pass  # they are killed, and continue from their last checkpoint
