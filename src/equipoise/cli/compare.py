"""`equipoise compare`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .device import Device
from .train import Set

WIDE = 240
"""Columns of a table that goes to a file, which has room for all of it."""


def compare(
    run_files: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_FILE…",
            help="The run file; the tasks of the first are compared, the others have them, or some, and may have more.",
        ),
    ],
    balance: Annotated[
        str,
        typer.Option(
            help='Balancers as in a run file, between commas: "equal,dao,{name: dao, example_weights: true}"; '
            "when not given, each run file's own. 'single-task' stands for the single tasks of every run file, not of "
            "the first alone."
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds a row: 0, 1, ….")] = 5,
    jobs: Annotated[int, typer.Option(min=1, help="How many trainings run at a time; they share the cores.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder of the comparison; by default the first run's, with -compare."),
    ] = None,
    set_: Set = None,
    single_task_epochs: Annotated[
        str, typer.Option(metavar="N,N,…", help="Choose each single task's number of epochs from these, on dev.")
    ] = "",
    trials: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many static weights are tried on dev, at a quarter of the budget each; 0 leaves their row out.",
        ),
    ] = 8,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the comparison in the folder.")] = False,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the model of every training.")] = False,
    device: Device = None,
) -> None:
    """Compare balancers over several seeds, with single tasks, equal and tuned static weights beside them.

    Called again it goes on where it was stopped, and adds what is new: more seeds, more balancers.
    """
    from rich.console import Console

    from equipoise.comparison import compare as run_comparison
    from equipoise.errors import TrainingError, UsageError
    from equipoise.reporting import comparison_table

    try:
        epochs = [float(part) for part in single_task_epochs.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"--single-task-epochs: found '{single_task_epochs}', expected numbers: 3,6,12.") from None
    comparison = run_comparison(
        run_files,
        balance,
        set_ or (),
        seeds=seeds,
        jobs=jobs,
        output=output,
        single_task_epochs=epochs,
        trials=trials,
        overwrite=overwrite,
        keep_models=keep_models,
    )
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(comparison_table(comparison.results))
    here = os.path.relpath(comparison.folder)
    console.print(f"Report: {here}/compare.html   Table: {here}/compare.json", highlight=False, soft_wrap=True)
    failed = comparison.results["failed"]
    if failed:
        raise TrainingError(
            f"{len(failed)} trainings failed; the first, {failed[0]['key']}: {failed[0]['message']} "
            "The same command tries them again."
        )
