"""`equipoise experts`."""

from typing import Annotated

import typer

from .compare import WIDE
from .device import Device
from .train import RunFile, Set


def experts(
    run_file: RunFile,
    set_: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the experts in the output folder.")] = False,
    device: Device = None,
) -> None:
    """Train one expert a task from the same base, and score each on every task.

    Called again it goes on where it was stopped.
    """
    import os

    from rich.console import Console

    from equipoise.experts import train_experts
    from equipoise.reporting import experts_table

    found = train_experts(run_file, set_ or (), overwrite=overwrite)
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(experts_table(found.results))
    own, base = found.results["own"]["test"], found.results["rows"][0]["run_score"]["test"]
    console.print(f"Run score on test: experts on their own tasks {own:.4f}   base {base:.4f}", highlight=False)
    here = os.path.relpath(found.folder)
    console.print(f"Page: {here}/experts.html   Experts: {here}/TASK/model", highlight=False, soft_wrap=True)
