"""`equipoise keys`."""

from typing import Annotated

import typer


def keys(markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False) -> None:
    """List every key of the run file: its default and what it is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from equipoise.config import keys_as_markdown, list_keys

    if markdown:
        typer.echo(keys_as_markdown(), nl=False)
        return
    table = Table(Column("key", overflow="fold"), "default", "what it is")
    for key in list_keys():
        table.add_row(key.path, escape(key.default), escape(key.description))
    Console().print(table)
