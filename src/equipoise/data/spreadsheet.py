"""Sheets of XLSX workbooks, read by openpyxl."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, time
from itertools import chain, islice
from pathlib import Path
from typing import Any
from warnings import catch_warnings

from equipoise.dialects import say_key
from equipoise.errors import DataError, EquipoiseError, UsageError, did_you_mean, list_some, shorten
from equipoise.keys import is_blank

from .delimited import check_header
from .headers import LOOKED_AT, find_lower_header, refuse_title
from .rows import Rows

_LARGEST = 500_000_000
"""Bytes of a workbook when it is unpacked, at most."""
_PARTS = 10_000
"""Files in a workbook, at most."""
_ROWS = 1_048_576
"""Rows of a sheet, at most, as in Excel."""


class Sheet:
    """The rows of a sheet, one after the other: numbers as they stand there, dates as ISO text, nothing as None.

    Args:
        path: the workbook, for messages.
        name: the name of the sheet.
        rows: yields the cells of each row, from the first one on.

    Attributes:
        header: the names of the columns; those without a name are left out.
        lower_header: the row that seems to name the columns where the first one is a title; else 0.

    Raises:
        DataError: two columns have one name.
    """

    def __init__(self, path: Path, name: str, rows: Iterator[Sequence[Any]]) -> None:
        self._path, self.name = path, name
        numbered = _number(path, rows)
        beginning = list(islice(numbered, LOOKED_AT))
        self._rows = chain(beginning[1:], numbered)
        self.lower_header = find_lower_header(_as_records(beginning))
        cells = beginning[0][1] if beginning else ()
        names = ["" if cell is None else str(_as_cell(cell)).strip() for cell in cells]
        self._places = [place for place, name in enumerate(names) if not is_blank(name)]
        self.header = [names[place] for place in self._places]
        check_header(self.header, path)

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number of each row that is not empty, as the sheet counts them, and its cells by column."""
        for number, cells in self._rows:
            own = [_as_cell(cells[place]) if place < len(cells) else None for place in self._places]
            if any(cell is not None for cell in own):
                yield number, dict(zip(self.header, own, strict=True))


def read_sheet(path: Path, name: str | None) -> Rows:
    """Read a sheet as a whole.

    Args:
        path: the workbook.
        name: the sheet; None is the only one that has rows.

    Raises:
        DataError: see `open_sheet`; or a title stands above the columns' names.
    """
    with open_sheet(path, name) as sheet:
        if sheet.lower_header:
            raise refuse_title(path, sheet.header, sheet.lower_header, "row")
        numbers, records = [], []
        for number, cells in sheet.rows():
            numbers.append(number)
            records.append(cells.values())
        columns = zip(*records, strict=True) if records else [()] * len(sheet.header)
        return Rows(str(path), numbers, {name: list(cells) for name, cells in zip(sheet.header, columns, strict=True)})


@contextmanager
def open_sheet(path: Path, name: str | None) -> Iterator[Sheet]:
    """Open a sheet of a workbook.

    Args:
        path: the workbook.
        name: the sheet; None is the only one that has rows, of those that are not hidden.

    Raises:
        UsageError: openpyxl is not installed.
        DataError: it is no workbook, is too large when it is unpacked, or has no such sheet.
    """
    with _open_book(path) as book:
        sheet = _choose_sheet(path, book.worksheets, name)
        yield Sheet(path, sheet.title, sheet.iter_rows(values_only=True))


def list_sheets(path: Path) -> list[str]:
    """Return the names of the sheets that have rows, of those that are not hidden.

    Args:
        path: the workbook.

    Raises:
        UsageError, DataError: see `open_sheet`.
    """
    with _open_book(path) as book:
        return [sheet.title for sheet in _find_filled(path, book.worksheets)]


@contextmanager
def _open_book(path: Path) -> Iterator[Any]:
    _check_archive(path)
    load = _load_openpyxl(path)
    try:
        with catch_warnings(action="ignore"):  # of styles and rules that are of no use here
            book = load(path, read_only=True, data_only=True, keep_links=False)
            try:
                yield book
            finally:
                book.close()
    except EquipoiseError:
        raise
    except Exception as error:  # of many kinds: no XML, parts that are missing, values that are none
        raise _explain(path, error) from None


def _load_openpyxl(path: Path) -> Any:
    try:
        import defusedxml  # noqa: F401  # openpyxl reads XML by it where it is there
        from openpyxl import load_workbook
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path}: {error.name} is not installed, and .xlsx files are read by it. Install it (pip install "
            "'equipoise[xlsx]'), or save the sheet as CSV."
        ) from None
    return load_workbook


def _check_archive(path: Path) -> None:
    """Refuse what is no archive, and one that is much larger when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _explain(path, error) from None
    size = sum(part.file_size for part in parts)
    if size > _LARGEST or len(parts) > _PARTS:
        raise DataError(
            f"{path}: found {size:,} bytes in {len(parts):,} parts when it is unpacked, expected {_LARGEST:,} and "
            f"{_PARTS:,} at most. Save the sheet as CSV."
        )


def _choose_sheet(path: Path, sheets: Sequence[Any], name: str | None) -> Any:
    names = [sheet.title for sheet in sheets]
    if name is not None:
        if name not in names:
            raise DataError(f"{path}: found no sheet '{shorten(name, 60)}'. {did_you_mean(name, names)}")
        chosen = sheets[names.index(name)]
        chosen.reset_dimensions()  # which some programs write wrongly
        return chosen
    filled = _find_filled(path, sheets)
    if not filled:
        raise DataError(f"{path}: found no sheet with rows, expected one. Fill it, or correct the path.")
    if len(filled) > 1:
        titles = [sheet.title for sheet in filled]
        raise DataError(
            f"{path}: found {len(filled)} sheets with rows: {list_some(titles, 5)}; expected one. Name the one to read "
            f"({say_key('sheet', titles[0])})."
        )
    return filled[0]


def _find_filled(path: Path, sheets: Sequence[Any]) -> list[Any]:
    """Return the sheets that have rows, of those that are not hidden."""
    for sheet in sheets:
        sheet.reset_dimensions()  # which some programs write wrongly
    shown = [sheet for sheet in sheets if sheet.sheet_state == "visible"]
    return [sheet for sheet in shown if next(_number(path, sheet.iter_rows(values_only=True)), None)]


def _number(path: Path, rows: Iterator[Sequence[Any]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield each row that is not empty with its number."""
    for number, cells in enumerate(islice(rows, _ROWS + 1), start=1):
        if number > _ROWS:
            raise DataError(f"{path}: found row {number:,}, expected {_ROWS:,} at most. Save the sheet as CSV.")
        if any(cell is not None and cell != "" for cell in cells):
            yield number, cells


def _as_records(rows: Sequence[tuple[int, Sequence[Any]]]) -> list[tuple[int, list[str]]]:
    """Return rows as records of a delimited file, all with as many cells."""
    width = max((len(cells) for _, cells in rows), default=0)
    shown = [(number, ["" if cell is None else str(_as_cell(cell)) for cell in cells]) for number, cells in rows]
    return [(number, cells + [""] * (width - len(cells))) for number, cells in shown]


def _as_cell(cell: Any) -> Any:
    """Return a cell as other files have it."""
    if isinstance(cell, date | time):
        text = cell.isoformat()
        return text.removesuffix("T00:00:00")
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    return str(cell) or None


def _explain(path: Path, error: Exception) -> DataError:
    reason = shorten(" ".join(str(error).split()), 200) or type(error).__name__
    return DataError(
        f"{path}: not a readable .xlsx workbook ({reason}). Save it as .xlsx without a password, or the sheet as CSV."
    )
