"""`equipoise mix`."""

import os
from typing import Annotated

import typer

from .options import Device, RunFile, Set


def mix(
    run_file: RunFile,
    set_: Set = None,
    candidates: Annotated[
        str,
        typer.Option(metavar="all|auxiliary", help="Which tasks may help: every other one, or auxiliary tasks alone."),
    ] = "all",
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="TASK", help="A task to find helpers for; may be repeated. Default: all that are scored."),
    ] = None,
    passes: Annotated[float, typer.Option(help="How often a short training reads each of the target's rows.")] = 3.0,
    budget: Annotated[
        float, typer.Option(help="Rows that may be read, as a share of those of training every pair.")
    ] = 0.2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the mix in the output folder.")] = False,
    device: Device = None,
) -> None:
    """Find which tasks help which when they are trained together, and write a run file with those that help.

    If it is stopped, call it again: it resumes. With a larger budget it trains more pairs.
    """
    from equipoise.affinity import mix as find_helpers
    from equipoise.reporting import mix_table
    from equipoise.terminal import open_console

    found = find_helpers(
        run_file,
        set_ or (),
        candidates=candidates,
        targets=target or (),
        passes=passes,
        budget=budget,
        overwrite=overwrite,
    )
    console, results = open_console(), found.results
    console.print(mix_table(results))
    cost = results.cost
    shares = (
        f"{100 * cost.share:.0f} % of those of training all pairs, {100 * cost.estimates_share:.0f} % for estimates"
    )
    over = "; estimates and one pair are always made, whatever the budget" if cost.share > budget < 1 else ""
    console.print(f"Rows read: {shares}{over}.")
    here = os.path.relpath(found.folder)
    console.print(f"Page: {here}/mix.html   Run file: {here}/mixed.yaml", soft_wrap=True)
