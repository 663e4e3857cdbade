"""The line of a delimited file that names its columns: whether the first one does, or another below it."""

from pathlib import Path
from typing import Any

from equipoise.data import find_lower_header, read_head, refuse_title
from equipoise.errors import DataError, shorten
from equipoise.keys import is_blank, is_number

from .detecting import Separators, detect_separators

_MOST_ABOVE = 20
"""Lines above the header that are looked at."""
_MOST_BELOW = 200


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
    records = read_head(head, options)
    if records and "".join(records[0][1]).lower().startswith("sep="):  # it tells Excel what stands between two cells
        records = records[1:]
    if line := find_lower_header(records):
        raise refuse_title(path, header, line)
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
            why = f"{shorten(name, 40)!a} {'also stands below' if is_class_here else 'is a number'}"
            raise DataError(
                f"{path}, line 1: found {shorten(', '.join(header), 80)!a}, which looks like a row ({why}), expected "
                "the columns' names; add a first line with names, such as text,label."
            )
