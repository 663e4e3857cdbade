"""`equipoise train`."""

from pathlib import Path
from typing import Annotated

import typer

from .device import Device

RunFile = Annotated[Path, typer.Argument(help="The run file (YAML); `equipoise list keys` lists what it may hold.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting that wins over the file, such as train.epochs=3; paths start here.",
    ),
]


def train(
    run_file: RunFile,
    set_: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the run in the output folder.")] = False,
    single_task: Annotated[
        bool,
        typer.Option("--single-task", help="Also train one model a task, and set them beside the joint one."),
    ] = False,
    device: Device = None,
) -> None:
    """Train one model for all tasks of a run file, evaluate it and write the report."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # a mistake in it is told before the heavy imports

    from equipoise.training import train as run_training
    from equipoise.training.processes import is_first

    run = run_training(config, resume=resume, overwrite=overwrite, single_task=single_task)
    if is_first():
        show_run(run.folder)


def show_run(folder: Path) -> None:
    """Print the results of a finished run, and where they are."""
    import os

    from rich.console import Console

    from equipoise.config import load_config
    from equipoise.evaluation import run_score
    from equipoise.reporting import results_table
    from equipoise.training import read_run

    run = read_run(folder)
    tasks = load_config(folder / "config.yaml").open_tasks()
    console = Console()
    console.print(results_table(run.records, tasks))
    alone = [record for record in run.records if (record["model"], record["split"]) == ("single-task", "test")]
    beside = f"   single-task models: {run_score(alone, tasks):.4f}" if alone else ""
    console.print(f"Run score on test: {run.run_score:.4f}{beside}", highlight=False)
    here = os.path.relpath(folder)
    console.print(f"Report: {here}/report.html   Model: {here}/model", highlight=False, soft_wrap=True)
