"""`equipoise merge`."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from equipoise.errors import UsageError

from .options import Device

if TYPE_CHECKING:
    from equipoise.merging import Merge

Experts = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOLDER",
        help="Experts of one base, in any mix: finished runs, checkpoints of transformers, adapters of peft. Their "
        "names are the names of their folders.",
    ),
]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="The folder to write.  [required]")]
Operator = Annotated[str, typer.Option(help="How to merge; `equipoise list operators` lists the ways.")]
Weights = Annotated[
    str,
    typer.Option(metavar="NAME=W,…", help="The weight of each expert. Default: the operator's.", show_default=False),
]
Option = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="An option of the operator, such as density=0.2; may be repeated."),
]
BaseName = Annotated[
    str | None, typer.Option(help="The base, a name or a folder. Default: the one that the experts' files name.")
]
Rank = Annotated[int | None, typer.Option(min=1, help="Write an adapter of this rank, by SVD, and show its error.")]
Heads = Annotated[
    Literal["keep", "average", "error"],
    typer.Option(help="What to do if several experts have a head for one task."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN.yaml", help="The run file with the data of the experts' tasks, for `regmean` and `fisher`."
    ),
]
DataRows = Annotated[int, typer.Option(min=1, help="How many training rows of each task these read.")]
Seed = Annotated[int, typer.Option(help="Seed of random draws.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the model in the output folder.")]


@dataclass(frozen=True)
class _Method:
    """How to merge: the options of `equipoise merge` that `equipoise search` reads from the run file."""

    operator: str = "linear"
    weights: str = ""
    options: tuple[str, ...] = ()
    base: str | None = None
    rank: int | None = None
    heads: str = "keep"
    seed: int = 0
    data: Path | None = None
    data_rows: int = 256


def current_name(word: str) -> str:
    """Return the name that an option has now."""
    return {"modules": "heads"}.get(word, word)


def merge(
    experts: Experts,
    output: Output = None,
    operator: Operator = "linear",
    weights: Weights = "",
    option: Option = None,
    base: BaseName = None,
    rank: Rank = None,
    heads: Heads = "keep",
    seed: Seed = 0,
    data: Data = None,
    data_rows: DataRows = 256,
    overwrite: Overwrite = False,
    set_: Annotated[list[str] | None, typer.Option("--set", hidden=True)] = None,
    device: Device = None,
) -> None:
    """Merge experts of one base into one model.

    A weighted sum of LoRA adapters is written as an adapter, exactly. Any other merge is written as a whole model, or
    with --rank as an adapter. `equipoise search` merges the experts of a run file.
    """
    method = _Method(operator, weights, tuple(option or ()), base, rank, heads, seed, data, data_rows)
    if len(experts) == 1 and not os.path.isdir(experts[0]):
        _search(experts[0], set_, overwrite, chosen=output is not None or method != _Method())
        return
    if set_:
        raise UsageError("--set goes with a run file, found folders; give options such as --weights.")
    if output is None:
        raise UsageError("--output: found none, expected the folder to write; give -o FOLDER.")
    _show(_merge(experts, output, method, overwrite))


def _search(run_file: Path, overrides: list[str] | None, overwrite: bool, *, chosen: bool) -> None:
    """Do what `equipoise merge RUN.yaml` did before the search had a command of its own."""
    from equipoise.terminal import note

    from .search import search

    if not os.path.lexists(run_file) and not run_file.suffix:
        raise UsageError(f"merge: {run_file}: found no such folder, expected experts' folders.")
    if chosen:
        raise UsageError(
            f"merge: {run_file} is not a folder. If it is a run file, `equipoise search {run_file}` merges its "
            "experts, and --set sets its keys, such as merge.operator=ties."
        )
    note(f"`equipoise merge {run_file}` is now `equipoise search {run_file}`.")
    search(run_file, overrides, overwrite)


def _merge(experts: Sequence[Path], output: Path, method: _Method, overwrite: bool) -> "Merge":
    options = dict(_read_pair("--option", pair) for pair in method.options)
    weights = None
    if method.weights:
        pairs = [_read_pair("--weights", pair) for pair in method.weights.split(",")]
        if repeated := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise UsageError(f"--weights: found '{repeated[0]}' twice, expected each expert once; leave one out.")
        weights = {name: _read_number(name, value) for name, value in pairs}

    from equipoise.merging import merge as merge_experts

    return merge_experts(
        experts,
        output,
        method.operator,
        options=options,
        weights=weights,
        base=method.base,
        rank=method.rank,
        heads=method.heads,
        seed=method.seed,
        data=method.data,
        data_rows=method.data_rows,
        overwrite=overwrite,
    )


def _show(merged: "Merge") -> None:
    """Print the weights, how exact an adapter is, and where every tensor went."""
    from equipoise.merging import summarize
    from equipoise.terminal import Column, ListTable, open_console

    rows = [(name, f"{weight:.3g}") for name, weight in merged.weights.items()]
    console = open_console()
    console.print(ListTable((Column("expert", wraps=False), Column("weight", right=True)), rows).for_terminal())
    lines = []
    if merged.form == "adapter":
        worst = max(merged.errors, key=merged.errors.__getitem__)
        lines.append(f"Adapter of rank {merged.rank}; relative error at most {merged.errors[worst]:.2g} ({worst}).")
    for name, named in merged.named.items():
        if named != merged.base:
            lines.append(f"{name}: its files name the base {named}; merged on {merged.base}.")
    for line in (*lines, *summarize(merged.tensors), f"Model: {merged.folder}"):
        console.print(line, markup=False, soft_wrap=True)


def _read_pair(option: str, given: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value in YAML."""
    from equipoise.config import parse_yaml

    name, sign, value = given.strip().partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{option}: found '{given}', expected NAME=VALUE.")
    try:
        return name.strip(), parse_yaml(value, option)
    except UsageError:
        raise UsageError(f"{option}: found '{given}', whose value cannot be read; expected NAME=VALUE.") from None


def _read_number(name: str, value: Any) -> float:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        value = float(value)  # YAML reads 1e-1 as a text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"--weights: found {value!r} for {name}, expected a number.")
    return float(value)
