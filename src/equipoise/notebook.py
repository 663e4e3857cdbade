"""What objects show of themselves in a notebook: small tables of HTML, everything in them escaped."""

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def table_to_html(table: "Table") -> str:
    """Return a table of the terminal as HTML.

    Args:
        table: a rich table, its cells texts.
    """
    head = "".join(f"<th>{_cell(column.header)}</th>" for column in table.columns)
    rows = zip(*(list(column.cells) for column in table.columns), strict=True)
    sides = ["right" if column.justify == "right" else "left" for column in table.columns]
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align: {side}">{_cell(cell)}</td>' for side, cell in zip(sides, row, strict=True))
        + "</tr>"
        for row in rows
    )
    title = f'<caption style="text-align: left">{_cell(table.title)}</caption>' if table.title else ""
    note = f"<p><small>{_cell(table.caption)}</small></p>" if table.caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def _cell(cell: Any) -> str:
    """Write a text, plain or of rich, with its line breaks; bold stays bold."""
    text = escape(getattr(cell, "plain", str(cell))).replace("\n", "<br>")
    is_bold = str(getattr(cell, "style", "")).startswith("bold")
    return f"<b>{text}</b>" if is_bold and text else text
