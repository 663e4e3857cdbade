"""The row of a table that names its columns, where a title stands above it."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import DataError, shorten
from equipoise.keys import is_blank, is_number

_MOST_ABOVE = 20
"""Records above the header that are looked at."""
_MOST_BELOW = 200
LOOKED_AT = _MOST_ABOVE + _MOST_BELOW + 1
"""Records by which the header is found, at most."""
_LONGEST_NAME = 60
_SAME_WIDTH = 0.8
_HEAD = 200_000
"""Characters by which the header of a file is found."""


def read_head(head: str, options: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Return the records of the beginning of a file, each with the line on which it begins; without empty lines.

    Args:
        head: the beginning.
        options: how the `csv` module reads it.

    Raises:
        csv.Error: it cannot be read like that.
    """
    reader = csv.reader(io.StringIO(head, newline=""), **options)
    records: list[tuple[int, list[str]]] = []
    line = 1
    for cells in reader:
        if cells:
            records.append((line, cells))
        line = reader.line_num + 1
    return records


def find_lower_header(records: Sequence[tuple[int, Sequence[str]]]) -> int:
    """Return where the header stands that is below a title; 0 where the first record may be the header.

    A title has one cell that is filled, and so have most lines below it (our design). The header is the first record
    with several cells, as many as most rows have; they are short, no numbers, and stand in their columns once, which
    tells them from classes.

    Args:
        records: the first records of a table, each with its line or row.
    """
    if not records or len(_filled(records[0][1])) > 1:
        return 0
    for place, (line, cells) in enumerate(records[1 : _MOST_ABOVE + 1], start=1):
        names = _filled(cells)
        if len(names) < 2:
            continue
        below = [other for _, other in records[place + 1 : place + 1 + _MOST_BELOW]]
        alike = [other for other in below if len(other) == len(cells)]
        if len(alike) < max(1, _SAME_WIDTH * len(below)) or len(set(names)) < len(names):
            return 0
        if any(len(name) > _LONGEST_NAME or is_number(name) for name in names):
            return 0
        columns = [Counter(column) for column in zip(*alike, strict=True)]
        return 0 if any(columns[at][name] for at, name in enumerate(cells) if not is_blank(name)) else line
    return 0


def refuse_title(path: Path, first: Sequence[str], place: int, unit: str = "line", hint: str = "") -> DataError:
    """Return the error of a table with a title above its header.

    Args:
        path: the file.
        first: the cells of the first record.
        place: where the header stands.
        unit: what that counts: "line" or "row".
        hint: what else to do, such as "say sep".
    """
    return DataError(
        f"{path}, {unit} 1: found {shorten(', '.join(filter(None, first)), 60)!a}, expected the columns' names. The "
        f"names of the columns seem to stand in {unit} {place}; remove the {unit}s before it{hint}."
    )


def check_no_title(path: Path, text: str, options: dict[str, Any], others: dict[str, str]) -> None:
    """Make sure that no title stands above the header of a delimited file.

    Args:
        path: the file.
        text: the file.
        options: how the `csv` module reads it.
        others: other separators that the rows may have, and what to say then.

    Raises:
        DataError: one does.
    """
    head = text[:_HEAD].lstrip("\r\n")
    above = text[: len(text) - len(text.lstrip("\r\n"))].count("\n")
    first = head.partition("\n")[0]
    # What is separated otherwise, or written for Excel, has a message of its own.
    if any(other in first for other in others) or first.lower().lstrip('"').startswith("sep="):
        return
    if len(text) > _HEAD:
        head = head[: head.rfind("\n") + 1]
    for delimiter in (options["delimiter"], *others):
        try:
            records = read_head(head, {**options, "delimiter": delimiter, "strict": False})
        except csv.Error:  # such as cells of megabytes
            continue
        if line := find_lower_header(records[:LOOKED_AT]):
            raise refuse_title(path, records[0][1], line + above, hint=others.get(delimiter, ""))
        if delimiter not in others and _is_header(records[:LOOKED_AT]):
            return


def _is_header(records: Sequence[tuple[int, Sequence[str]]]) -> bool:
    """Whether the first record has several cells, as many as most of the others have."""
    if not records or len(_filled(records[0][1])) < 2:
        return False
    alike = sum(len(cells) == len(records[0][1]) for _, cells in records[1:])
    return alike >= max(1, _SAME_WIDTH * (len(records) - 1))


def _filled(cells: Sequence[str]) -> list[str]:
    return [cell for cell in cells if not is_blank(cell)]
