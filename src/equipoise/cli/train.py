"""`equipoise train`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, RunFile, Set


def train(
    run_file: RunFile,
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an unfinished run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the run in the output folder.")] = False,
    single_task: Annotated[
        bool,
        typer.Option("--single-task", help="Also train one model per task, and compare the joint model with them."),
    ] = False,
    device: Device = None,
) -> None:
    """Train one model for all tasks of a run file, evaluate it, and write the report."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.training import is_first
    from equipoise.training import train as run_training

    run = run_training(config, resume=resume, overwrite=overwrite, single_task=single_task)
    if is_first():
        show_run(run.folder)


def show_run(folder: Path) -> None:
    """Print the results of a finished run, and where its files are."""
    import os

    from equipoise.config import load_config
    from equipoise.evaluation import run_score
    from equipoise.reporting import results_table
    from equipoise.terminal import open_console
    from equipoise.training import read_run

    run = read_run(folder)
    tasks = load_config(folder / "config.yaml").open_tasks()
    console = open_console()
    console.print(results_table(run.records, tasks))
    alone = [record for record in run.records if (record["model"], record["split"]) == ("single-task", "test")]
    single = f"   single-task models: {run_score(alone, tasks):.4f}" if alone else ""
    console.print(f"Run score on test: {run.run_score:.4f}{single}")
    here = os.path.relpath(folder)
    console.print(f"Report: {here}/report.html   Model: {here}/model", soft_wrap=True)
