"""`equipoise quickstart`."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Device


def quickstart(
    output: Annotated[Path, typer.Option("-o", "--output", help="The run's folder.")] = Path("runs/quickstart"),
    device: Device = None,
) -> None:
    """Fetch a starter model and a corpus, train on them, evaluate, and write the report.

    If it is stopped, call it again: it resumes. Once it is finished, it shows the results.
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
  {command} list keys                                                                 # the keys of a run file
Your own data: {command} init FILE…"""
    )
