"""`equipoise operators`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from equipoise.merging import MergeOperator


def operators(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Describe this operator.", show_default=False)] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """List the merge operators: what each does, its options and its paper; or describe one."""
    from inspect import getdoc

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from equipoise.errors import UsageError, did_you_mean
    from equipoise.merging import MERGE_OPERATORS

    if name:
        if name not in MERGE_OPERATORS:
            raise UsageError(f"there is no operator '{name}'. {did_you_mean(name, MERGE_OPERATORS)}")
        typer.echo(getdoc(MERGE_OPERATORS[name]))
    elif markdown:
        typer.echo(operators_as_markdown(), nl=False)
    else:
        table = Table(Column("name", no_wrap=True), "what it does", Column("options", overflow="fold"), Column("paper"))
        for operator in MERGE_OPERATORS.values():
            table.add_row(
                operator.name, escape(operator.summary), escape("\n".join(_options(operator))), operator.paper
            )
        Console().print(table)
        typer.echo("`equipoise operators NAME` describes one.")


def operators_as_markdown() -> str:
    """Return the table of operators for the documentation."""
    from equipoise.merging import MERGE_OPERATORS

    lines = ["| name | what it does | options | paper |", "|---|---|---|---|"]
    for operator in MERGE_OPERATORS.values():
        listed = ", ".join(f"`{option}`" for option in _options(operator)) or "–"
        lines.append(f"| `{operator.name}` | {operator.summary} | {listed} | {operator.paper} |")
    return "\n".join(lines) + "\n"


def _options(operator: "type[MergeOperator]") -> list[str]:
    from inspect import signature
    from json import dumps

    if operator.__init__ is object.__init__:
        return []
    return [f"{key}: {dumps(parameter.default)}" for key, parameter in signature(operator).parameters.items()]
