"""Small comparisons, and what they leave behind."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

from children import child_context
from corpus import run_data
from equipoise.comparison import compare, processes
from equipoise.workspace import Journal

CONTEXT = child_context("equipoise.cli", "equipoise.training", "equipoise.reporting", "equipoise.comparison")


def write_run_file(
    folder: Path, model: Path, name: str = "run", tasks: tuple[str, ...] = ("intensity", "polarity"), **train: object
) -> Path:
    """Write a run file with these tasks and return its path."""
    data = run_data(folder, model, **{"max_steps": 4, "evaluations": 1, **train})
    data["tasks"] = {task: data["tasks"][task] for task in tasks}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def lines_of(folder: Path) -> list[dict]:
    """The records of a comparison."""
    return [json.loads(line) for line in (folder / "compare.jsonl").read_text().splitlines()]


def strike_comparison(run_file: Path, folder: Path, after: int, seconds: float = 120) -> int | None:
    """Compare in a process of its own, killed when so many trainings are recorded and others run; return its code."""
    process = CONTEXT.Process(target=_compare_and_be_struck, args=(run_file, folder, after))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode


def _compare_and_be_struck(run_file: Path, folder: Path, after: int) -> None:
    append = Journal.append

    def append_and_strike(journal, record):
        append(journal, record)
        if len(lines_of(folder)) == after:
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = append_and_strike
    if CONTEXT.get_start_method() == "forkserver":
        # This process is a fork of the server already: its trainings are forks of it.
        processes._CONTEXT = multiprocessing.get_context("fork")
    compare([run_file], "equal", seeds=3, jobs=2, output=folder)
