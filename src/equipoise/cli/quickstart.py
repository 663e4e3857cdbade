"""`equipoise quickstart`."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .device import Device


def quickstart(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path("runs/quickstart"),
    device: Device = None,
) -> None:
    """Train on real data from nothing: fetch the starters, train, evaluate, write the report.

    Called again, it goes on where it was stopped; once it has finished, it shows the results.
    """
    from importlib.resources import files

    from equipoise.config import load_config
    from equipoise.training import train

    from .train import show_run

    config = load_config(str(files("equipoise.starter") / "quickstart.yaml"))
    run = train(config.model_copy(update={"output": output.absolute()}), resume=True)
    show_run(run.folder)
    here, command = (shlex.quote(os.path.relpath(path)) for path in (output, sys.argv[0]))
    typer.echo(
        f"""
What to try next
  {command} predict {here} "The plot is thin, but I loved every minute."
  {command} train {here}/config.yaml --set balance=equal --set output=runs/equal    # the same without balancing
  {command} evaluate {here} {here}/config.yaml --split dev
  {command} list keys                                                                 # what a run file may hold
Your own data: README.md, "Your own file in five minutes"."""
    )
