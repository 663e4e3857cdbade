"""`equipoise merge`."""

from pathlib import Path
from typing import Annotated, Any

import typer


def merge(
    experts: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER…",
            help="Experts of one base: finished runs, checkpoints of transformers, adapters of peft, in any mix. They "
            "are called what their folders are called.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")],
    operator: Annotated[str, typer.Option(help="How task vectors are merged; docs/merging.md lists them.")] = "linear",
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
        str,
        typer.Option(help="Where several experts have a module for one task: `keep` each, `average` them, or `error`."),
    ] = "keep",
    seed: Annotated[int, typer.Option(help="Seed of random draws.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what lies in the output folder.")] = False,
) -> None:
    """Merge experts of one base into one model.

    A weighted sum of LoRA adapters is written as an adapter, exactly; anything else is folded into the weights, or with
    --rank brought into an adapter.
    """
    from rich.console import Console
    from rich.table import Column, Table

    from equipoise.merging import merge as merge_experts

    made = merge_experts(
        experts,
        output,
        operator,
        options=dict(_pairs("--option", one) for one in option or ()),
        weights={name: _number(name, value) for name, value in map(_weight, weights.split(","))} if weights else None,
        base=base,
        rank=rank,
        modules=modules,
        seed=seed,
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
    console.print(f"Model: {made.folder}", highlight=False)


def _weight(given: str) -> tuple[str, Any]:
    return _pairs("--weights", given)


def _pairs(option: str, given: str) -> tuple[str, Any]:
    import yaml

    from equipoise.errors import UsageError

    name, sign, value = given.strip().partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: found '{given}', expected NAME=VALUE.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"{option}: found '{given}', whose value cannot be read; expected NAME=VALUE.") from None


def _number(name: str, value: Any) -> float:
    from equipoise.errors import UsageError

    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"--weights: found {value!r} for {name}, expected a number.")
    return float(value)
