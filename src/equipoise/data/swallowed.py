"""Whole rows that two stray quotation marks have swallowed, as if they were one quoted cell."""

import re
from collections.abc import Iterable, Sequence

from equipoise.keys import is_number

_LINES = re.compile(r"\r\n|\n|\r")


def unfold(cells: Sequence[str], delimiter: str) -> list[list[str]]:
    """Return the rows that the lines of one record are if its quotation marks are plain characters."""
    rows: list[list[str]] = []
    row: list[str] = []
    for cell in cells:
        first, *others = _LINES.split(cell)
        row += first.split(delimiter) if others else [cell]
        for line in others:
            rows.append(row)
            row = line.split(delimiter)
    rows.append(row)
    return [row for row in rows if row != [""]]


class KnownCells:
    """What stands in the columns of rows that nothing is wrong with.

    Args:
        rows: such rows, of as many cells each.
    """

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        # No column where there is no such row.
        self._columns = [set(column) - {""} for column in zip(*rows, strict=True)]

    def resemble(self, rows: Sequence[Sequence[str]]) -> bool:
        """Whether rows have, in some column, cells of the kind that the known rows have there.

        These are the same words, as labels are, or numbers where all are numbers. Lines of a long text have neither.
        """
        for known, cells in zip(self._columns, zip(*rows, strict=True), strict=False):
            filled = [cell for cell in cells if cell]
            if not cells[0] or 2 * len(filled) < len(cells) or not known:
                continue
            if known.issuperset(filled) or (all(map(is_number, filled)) and all(map(is_number, known))):
                return True
        return False
