"""What the commands print in the terminal: a console, notes, and tables."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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


def hush_torchao() -> None:
    """Say nothing of what torchao cannot load: transformers loads it in every command, once it is installed."""
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


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


Cell = str | tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column of a `ListTable`.

    Args:
        head: its heading.
        code: whether its cells are names or code, which stand in backticks in Markdown.
        wraps: whether a narrow terminal may break its cells.
        right: whether its cells stand at the right, as numbers do.
        empty: what stands in Markdown for a cell without text.
    """

    head: str
    code: bool = False
    wraps: bool = True
    right: bool = False
    empty: str = ""


@dataclass(frozen=True)
class ListTable:
    """A table of plain texts, for the terminal and for a page of the documentation.

    Args:
        columns: the columns.
        rows: the cells of each row: a text, or several texts.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def for_terminal(self) -> "Table":
        """Return the table for the terminal. Several texts of a cell stand on lines of their own."""
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for column in self.columns:
            justify: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(Text(column.head), justify=justify, no_wrap=not column.wraps, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text("\n".join(_texts(cell))) for cell in row))
        return table

    def to_markdown(self) -> str:
        """Return the table as Markdown. Commas stand between several texts of a cell."""
        head = f"| {' | '.join(column.head for column in self.columns)} |"
        rule = "|" + "---|" * len(self.columns)
        rows = [
            f"| {' | '.join(_markdown(column, cell) for column, cell in zip(self.columns, row, strict=True))} |"
            for row in self.rows
        ]
        return "\n".join([head, rule, *rows]) + "\n"


def _texts(cell: Cell) -> tuple[str, ...]:
    return (cell,) if isinstance(cell, str) else cell


def _markdown(column: Column, cell: Cell) -> str:
    texts = [text.replace("|", "&#124;") for text in _texts(cell) if text]
    return ", ".join(f"`{text}`" if column.code else text for text in texts) or column.empty
