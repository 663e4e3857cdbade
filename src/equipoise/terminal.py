"""What the commands print in the terminal: a console, notes, and tables."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from equipoise.errors import EquipoiseWarning, shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 240
"""Columns of an output that is not a terminal."""


def open_console() -> "Console":
    """Return a console for standard output.

    A file or a pipe has room for wide tables, unless the environment variable COLUMNS says otherwise.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


def make_results_table(title: str, caption: str | None = None) -> "Table":
    """Return an empty table in the style of all tables of results."""
    from rich import box
    from rich.table import Table

    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )


def note(text: str) -> None:
    """Print a note, one line on standard error."""
    print(f"note: {shorten(text)}", file=sys.stderr, flush=True)


@contextmanager
def notes_for_warnings() -> Iterator[None]:
    """Show every `EquipoiseWarning` as a note, each message once; other warnings stay as they are."""
    shown: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", EquipoiseWarning)
        others: Callable[..., Any] = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, EquipoiseWarning):
                others(message, category, *where, **more)
            elif str(message) not in shown:
                shown.add(str(message))
                note(str(message))

        warnings.showwarning = show
        yield
