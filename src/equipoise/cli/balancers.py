"""`equipoise balancers`."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from equipoise.balancing import Balancer

_COMMON = ("clip", "where")
_COSTS = {
    "losses": "losses only",
    "gramian": "gradients at the features",
    "gradients": "gradients at the features",
    "halves": "both halves of the batch",
}


def balancers(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Describe this balancer.", show_default=False)] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """List the balancers: what each does, what it costs, its options and its paper; or describe one."""
    from inspect import getdoc

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from equipoise.balancing import BALANCERS
    from equipoise.errors import UsageError, did_you_mean

    if name:
        if name not in BALANCERS:
            raise UsageError(f"there is no balancer '{name}'. {did_you_mean(name, BALANCERS)}")
        typer.echo(getdoc(BALANCERS[name]))
    elif markdown:
        typer.echo(balancers_as_markdown(), nl=False)
    else:
        table = Table(
            Column("name", no_wrap=True),
            "what it does",
            "costs",
            Column("options", overflow="fold"),
            Column("paper", overflow="fold"),
        )
        for row in list_balancers():
            table.add_row(row.name, escape(row.summary), row.costs, escape("\n".join(row.options)), row.paper)
        Console().print(table)
        typer.echo(
            "All have the option alignment, all but equal and static clip, those with gradients also where; "
            "`equipoise balancers NAME` describes one.\n"
            'extra: pip install "equipoise[balancers]"'
        )


class Row(NamedTuple):
    """What is told of a balancer.

    Args:
        name: in the run file.
        summary: what it does, one sentence.
        costs: what a step costs beyond one with equal weights.
        options: with their defaults, as in the run file.
        paper: authors, year, arXiv id.
    """

    name: str
    summary: str
    costs: str
    options: list[str]
    paper: str


def list_balancers() -> list[Row]:
    """Return what is told of each balancer, from its class."""
    from equipoise.balancing import BALANCERS

    return [
        Row(name, _summary(balancer), _costs(balancer), _options(balancer), balancer.paper)
        for name, balancer in BALANCERS.items()
    ]


def balancers_as_markdown() -> str:
    """Return the table of balancers for the documentation."""
    lines = ["| name | what it does | costs | options | paper |", "|---|---|---|---|---|"]
    for name, summary, costs, options, paper in list_balancers():
        listed = ", ".join(f"`{option}`" for option in options) or "–"
        lines.append(f"| `{name}` | {summary} | {costs} | {listed} | {paper} |")
    return "\n".join(lines) + "\n"


def _summary(balancer: "type[Balancer]") -> str:
    """Return the first line of the docstring without the paper, which stands elsewhere."""
    from inspect import getdoc
    from re import sub

    first = (getdoc(balancer) or "").partition("\n")[0]
    return sub(r" \([^()]*\b\d{4}\b[^()]*\)\.$", ".", first)


def _costs(balancer: "type[Balancer]") -> str:
    costs = "one more forward" if balancer.needs_next_losses else _COSTS[balancer.needs]
    return costs + ("; extra" if getattr(balancer, "packages", ()) else "")


def _options(balancer: "type[Balancer]") -> list[str]:
    from inspect import Parameter, signature
    from json import dumps

    options = []
    for key, parameter in signature(balancer).parameters.items():
        if parameter.kind is Parameter.KEYWORD_ONLY and key not in (*_COMMON, "label_stats"):
            told = parameter.default is not Parameter.empty and parameter.default is not None
            options.append(f"{key}: {dumps(parameter.default)}" if told else key)
    return options
