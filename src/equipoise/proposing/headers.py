"""The line of a delimited file that names its columns: whether the first one does, or another below it."""

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Any

from equipoise.errors import DataError, shorten
from equipoise.keys import is_blank, is_number

from .detecting import Separators, detect_separators

_MOST_ABOVE = 20
"""Records above the header that are looked at."""
_MOST_BELOW = 200
_LONGEST_NAME = 60
_SAME_WIDTH = 0.8


def detect_below_titles(head: str, usual: str) -> Separators:
    """Return what stands between the cells of a file, also where its first lines are a title without separators.

    Args:
        head: the beginning of the file.
        usual: the separator by its ending.
    """
    found = detect_separators(head, usual)
    rest = head
    for _ in range(_MOST_ABOVE):
        if found.sep or not rest:
            break
        rest = rest.partition("\n")[2]
        found = detect_separators(rest, usual)
    return found


def check_header(path: Path, header: list[str], head: str, options: dict[str, Any]) -> None:
    """Make sure that the first line of a file holds the columns' names.

    Args:
        path: the file.
        header: the cells of the first line.
        head: the beginning of the file.
        options: how the `csv` module reads it.

    Raises:
        DataError: it is a title, a row, or a name stands in it twice.
    """
    records = _read(head, options)
    if line := _find_lower_header(records):
        raise DataError(
            f"{path}, line 1: found {shorten(', '.join(filter(None, header)), 60)!a}, expected the columns' names. The "
            f"names of the columns seem to stand in line {line}; remove the lines before it."
        )
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise DataError(
            f"{path}, line 1: found {header.count(repeated[0])} columns {repeated[0]!a}, expected different names; "
            "rename them, or add a first line with names if there is none."
        )
    rows = [cells for _, cells in records if len(cells) == len(header)][1:_MOST_BELOW]
    for name, column in zip(header, zip(*rows, strict=True), strict=False):
        numbers = [cell for cell in column if is_number(cell)]
        is_number_here = is_number(name) and "." in name and len(numbers) > 0.9 * len(column)
        is_class_here = len(set(column)) <= 10 and column.count(name) >= max(3, len(column) / 20)
        if (is_number_here or is_class_here) and not is_blank(name):
            raise DataError(
                f"{path}, line 1: found {shorten(', '.join(header), 80)!a}, which looks like a row, expected the "
                "columns' names; add a first line with names, such as text,label."
            )


def _read(head: str, options: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Return the records of a beginning, each with the line on which it begins; empty lines are passed over."""
    reader = csv.reader(io.StringIO(head, newline=""), **options)
    records: list[tuple[int, list[str]]] = []
    line = 1
    for cells in reader:
        if cells:
            records.append((line, cells))
        line = reader.line_num + 1
    return records


def _find_lower_header(records: list[tuple[int, list[str]]]) -> int:
    """Return the line of the header that stands below a title; 0 where the first record may be the header.

    A title has one cell that is filled, and so have most lines below it (our design). The header is the first record
    with several cells, as many as most rows have; they are short, no numbers, and stand in their columns once, which
    tells them from classes.
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


def _filled(cells: list[str]) -> list[str]:
    return [cell for cell in cells if not is_blank(cell)]
