"""`equipoise merge`."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .compare import WIDE
from .device import Device
from .train import Set


def merge(
    experts: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_FILE|FOLDER…",
            help="A run file, whose experts are merged by a search; or experts of one base: finished runs, checkpoints "
            "of transformers, adapters of peft, in any mix. They are called what their folders are called.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder to write; a run file names its own.")
    ] = None,
    set_: Set = None,
    operator: Annotated[
        str | None, typer.Option(help="How task vectors are merged: `linear`, or another of docs/merging.md.")
    ] = None,
    weights: Annotated[
        str, typer.Option(metavar="NAME=W,…", help="The weight of each expert; by default the operator's.")
    ] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the operator, such as density=0.2; may be repeated."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="The base, where the experts' files do not name it: a name or a folder.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=1, help="Write an adapter of this rank, by SVD, and say how far off it is.")
    ] = None,
    modules: Annotated[
        str | None,
        typer.Option(help="Where several experts have a module for one task: `keep` each, `average` them, or `error`."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of random draws; 0 when not given.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the merge that lies there.")] = False,
    device: Device = None,
) -> None:
    """Merge experts of one base into one model.

    Of a run file: train the experts that are missing, search for the coefficients that merge them best, and set other
    merges beside; called again it goes on. Of folders: merge them once. A weighted sum of LoRA adapters is written as
    an adapter, exactly; anything else is folded into the weights, or with --rank brought into an adapter.
    """
    from equipoise.errors import UsageError

    single = {
        "--output": output,
        "--operator": operator,
        "--weights": weights or None,
        "--option": option,
        "--base": base,
        "--rank": rank,
        "--modules": modules,
        "--seed": seed,
    }
    if len(experts) == 1 and not os.path.isdir(experts[0]):
        if not os.path.lexists(experts[0]) and not experts[0].suffix:
            raise UsageError(f"merge: {experts[0]}: found no such file or folder, expected a run file, or experts.")
        given = [name for name, value in single.items() if value is not None]
        if given:
            raise UsageError(
                f"merge: found {' and '.join(given)} with the run file {experts[0]}, which says how to merge; set its "
                "keys with --set (merge.operator=…), or give the experts' folders."
            )
        _search(experts[0], set_ or (), overwrite)
        return
    if set_:
        raise UsageError("--set goes with a run file, found folders; give options such as --weights.")
    if output is None:
        raise UsageError("--output: found none, expected the folder to write; give -o FOLDER.")
    from rich.console import Console
    from rich.table import Column, Table

    from equipoise.merging import merge as merge_experts
    from equipoise.merging import summarize

    made = merge_experts(
        experts,
        output,
        operator or "linear",
        options=dict(_pairs("--option", one) for one in option or ()),
        weights={name: _number(name, value) for name, value in map(_weight, weights.split(","))} if weights else None,
        base=base,
        rank=rank,
        modules=modules or "keep",
        seed=seed or 0,
        overwrite=overwrite,
    )
    table = Table(Column("expert", no_wrap=True), Column("weight", justify="right"))
    for name, weight in made.weights.items():
        table.add_row(name, f"{weight:.3g}")
    console = Console()
    console.print(table)
    if made.form == "adapter":
        worst = max(made.errors, key=made.errors.__getitem__)
        console.print(
            f"Adapter of rank {made.rank}; relative error at most {made.errors[worst]:.2g} ({worst}).", highlight=False
        )
    for name, named in made.named.items():
        if named != made.base:
            console.print(f"{name}: its files name the base {named}; merged on {made.base}.", highlight=False)
    for line in summarize(made.tensors):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(f"Model: {made.folder}", highlight=False)


def _search(run_file: Path, overrides: Sequence[str], overwrite: bool) -> None:
    from rich.console import Console

    from equipoise.evolution import evolve
    from equipoise.reporting import merge_table

    found = evolve(run_file, overrides, overwrite=overwrite)
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(merge_table(found.results))
    here = os.path.relpath(found.folder)
    console.print(f"Page: {here}/merge.html   Model: {here}/model", highlight=False, soft_wrap=True)


def _weight(given: str) -> tuple[str, Any]:
    return _pairs("--weights", given)


def _pairs(option: str, given: str) -> tuple[str, Any]:
    from equipoise.config import parse_yaml
    from equipoise.errors import UsageError

    name, sign, value = given.strip().partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: found '{given}', expected NAME=VALUE.")
    try:
        return name.strip(), parse_yaml(value, option)
    except UsageError:
        raise UsageError(f"{option}: found '{given}', whose value cannot be read; expected NAME=VALUE.") from None


def _number(name: str, value: Any) -> float:
    from equipoise.errors import UsageError

    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        value = float(value)  # YAML takes 1e-1 for a text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"--weights: found {value!r} for {name}, expected a number.")
    return float(value)
