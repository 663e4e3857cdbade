"""`equipoise tune`."""

import os
from typing import Annotated

import typer

from .options import Device, RunFile, Set


def tune(
    run_file: RunFile,
    set_: Set = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials, the first with the run file's own settings.")] = 20,
    minutes: Annotated[
        float | None,
        typer.Option(help="Start no trial after so many minutes of work on trials.", show_default=False),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="KEY,KEY,…",
            help="Settings to tune: learning_rate, head_learning_rate, epochs, mixing, freeze_layers, balance. "
            "Default: all that apply.",
            show_default=False,
        ),
    ] = "",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Optuna storage for trials on several machines, such as postgresql://…. Default: a file in the "
            "folder.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the tuning in the folder.")] = False,
    device: Device = None,
) -> None:
    """Choose learning rates, epochs and more by trials on dev, and compare with the run file's own on test, once.

    If it is stopped, call it again: it continues. Call it several times at once to share the trials.
    """
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.terminal import open_console
    from equipoise.tuning import tune as run_tuning
    from equipoise.tuning import tuning_table

    keys = [key.strip() for key in only.split(",") if key.strip()]
    found = run_tuning(config, trials=trials, minutes=minutes, only=keys, storage=storage, overwrite=overwrite)
    console = open_console()
    console.print(tuning_table(found.results))
    console.print(
        f"Run file: {os.path.relpath(found.run_file)}   Model: {os.path.relpath(found.run)}/model", soft_wrap=True
    )
