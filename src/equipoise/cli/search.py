"""`equipoise search`."""

import os
from typing import Annotated

import typer

from .options import Device, RunFile, Set


def search(
    run_file: RunFile,
    set_: Set = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the search in the output folder.")] = False,
    device: Device = None,
) -> None:
    """Search for the best merge of a run file's experts, and compare it with other merges.

    Experts that are missing are trained first. If it is stopped, call it again: it resumes the search.
    """
    from equipoise.evolution import evolve
    from equipoise.reporting import merge_table
    from equipoise.terminal import open_console

    found = evolve(run_file, set_ or (), overwrite=overwrite)
    console = open_console()
    console.print(merge_table(found.results))
    here = os.path.relpath(found.folder)
    console.print(f"Page: {here}/merge.html   Model: {here}/model", soft_wrap=True)
