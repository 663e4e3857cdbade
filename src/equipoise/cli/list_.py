"""`equipoise list`."""

from typing import Annotated

import typer

from .lists import LISTS, get_catalogue

Name = Annotated[str, typer.Argument(metavar="NAME", help="Describe this one.", show_default=False)]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")]


def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="LIST", help=f"One of {', '.join(LISTS)}. Without it, show what each holds.", show_default=False
        ),
    ] = "",
    name: Name = "",
    markdown: Markdown = False,
) -> None:
    """List what there is: keys of the run file, balancers, merge operators, starters, kinds of task, codes of findings.

    With a NAME, describe that one.
    """
    if what:
        show_list(what, name, markdown=markdown)
    else:
        for one, summary in LISTS.items():
            typer.echo(f"equipoise list {one:<10} {summary}")


def show_list(what: str, name: str = "", *, markdown: bool = False) -> None:
    """Print a list; with a name, describe that one of it; as Markdown for the documentation."""
    catalogue = get_catalogue(what)
    if name:
        typer.echo(catalogue.describe(name))
    elif markdown:
        typer.echo(catalogue.table().to_markdown(), nl=False)
    else:
        from equipoise.terminal import open_console

        open_console().print(catalogue.table().for_terminal())
        if catalogue.footer:
            typer.echo(catalogue.footer)
