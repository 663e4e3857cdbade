"""`equipoise keys`."""

from typing import Annotated

import typer


def keys(markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False) -> None:
    """List every key of the run file: its default and what it is."""
    from rich.console import Console
    from rich.table import Table

    from equipoise.config import keys_as_markdown, list_keys

    if markdown:
        typer.echo(keys_as_markdown(), nl=False)
        return
    table = Table("key", "default", "what it is", show_lines=False)
    for key in list_keys():
        table.add_row(key.path, key.default, key.description)
    Console().print(table)
