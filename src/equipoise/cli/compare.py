"""`equipoise compare`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Set

RunFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN_FILE",
        help="The run files. The tasks of the first are compared; the others have all or some of them, and may have "
        "more.",
    ),
]
Balance = Annotated[
    str,
    typer.Option(
        help='Balancers as in a run file, with commas between: "equal,dao,{name: dao, example_weights: true}". '
        "Default: each run file's own. 'single-task' stands for the single tasks of every run file.",
        show_default=False,
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Seeds per row: 0, 1, ….")]
Jobs = Annotated[int, typer.Option(min=1, help="Trainings at a time; they share the cores.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Folder of the comparison. Default: the first run's, with -compare."),
]
Epochs = Annotated[
    str,
    typer.Option(
        metavar="N,N,…",
        help="Numbers of epochs to try for each single task; dev chooses.",
        show_default=False,
    ),
]
Trials = Annotated[
    int,
    typer.Option(
        min=0,
        help="Static weights to try, each for a quarter of the budget; dev chooses. 0 leaves their row out.",
    ),
]


def compare(
    run_files: RunFiles,
    balance: Balance = "",
    seeds: Seeds = 5,
    jobs: Jobs = 1,
    output: Output = None,
    set_: Set = None,
    single_task_epochs: Epochs = "",
    trials: Trials = 8,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the comparison in the folder.")] = False,
    keep_models: Annotated[bool, typer.Option("--keep-models", help="Keep the model of every training.")] = False,
    device: Device = None,
) -> None:
    """Compare balancers over several seeds, also with single tasks and with equal and tuned static weights.

    If it is stopped, call it again: it resumes. Call it with more seeds or balancers to add them.
    """
    epochs = _read_numbers(single_task_epochs)

    from equipoise.comparison import compare as run_comparison
    from equipoise.errors import TrainingError
    from equipoise.reporting import comparison_table
    from equipoise.terminal import open_console

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
    table = comparison.table
    console = open_console()
    console.print(comparison_table(table))
    here = os.path.relpath(comparison.folder)
    console.print(f"Report: {here}/compare.html   Table: {here}/compare.json", soft_wrap=True)
    if failed := table.failed:
        raise TrainingError(
            f"{len(failed)} trainings failed; the first, {failed[0].key}: {failed[0].message} "
            "The same command tries them again."
        )


def _read_numbers(epochs: str) -> list[float]:
    try:
        return [float(number) for number in epochs.split(",") if number.strip()]
    except ValueError:
        from equipoise.errors import UsageError

        raise UsageError(f"--single-task-epochs: found '{epochs}', expected numbers: 3,6,12.") from None
