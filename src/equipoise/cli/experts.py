"""`equipoise experts`."""

import os
from typing import Annotated

import typer

from .options import Device, RunFile, Set


def experts(
    run_file: RunFile,
    set_: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the experts in the output folder.")] = False,
    device: Device = None,
) -> None:
    """Train one expert per task from the same base, and score each on every task.

    If it is stopped, call it again: it resumes.
    """
    from equipoise.experts import train_experts
    from equipoise.reporting import experts_table
    from equipoise.terminal import open_console

    found = train_experts(run_file, set_ or (), overwrite=overwrite)
    console = open_console()
    console.print(experts_table(found.results))
    own, base = found.results["own"]["test"], found.results["rows"][0]["run_score"]["test"]
    console.print(f"Run score on test: experts on their own tasks {own:.4f}   base {base:.4f}")
    here = os.path.relpath(found.folder)
    console.print(f"Page: {here}/experts.html   Experts: {here}/TASK/model", soft_wrap=True)
