"""CSV and TSV files, read row by row."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from equipoise.dialects import Dialect
from equipoise.errors import DataError

from .delimited import (
    LONGEST_CELL,
    MOST_LINES,
    SAMPLE,
    Record,
    RowCheck,
    check_delimiter,
    check_header,
    find_style,
    has_swallowed,
    is_excel_line,
    means_quotes,
    say_swallowed,
)
from .encodings import Decoding
from .rows import BadRow
from .swallowed import KnownCells

LONGEST_LINE = 32_000_000
"""Characters of a line, at most."""
_UNREADABLE = re.compile("[\udc80-\udcff]")
"""How Python keeps bytes that are not UTF-8."""


class DelimitedStream:
    """Rows of a CSV or TSV file, one after the other: cells by column, an empty one as None; bad rows in their place.

    A quoted cell may have 1,000 lines. Where one has more, or is broken, its first line is a bad row, and the next line
    is read as a row again.

    Args:
        file: the file's text, opened with `newline=""` and `errors="surrogateescape"`.
        delimiter: what stands between two cells by the file's ending.
        path: the file, for messages.
        dialect: what is stated of the file.
        decoding: says what is wrong with a byte that cannot be read.

    Attributes:
        header: the names of the columns; none where the file is empty.

    Raises:
        DataError: the file is separated by something else, or two columns have one name.
    """

    def __init__(self, file: TextIO, delimiter: str, path: Path, dialect: Dialect, decoding: Decoding) -> None:
        self._lines = _Lines(file)
        self._style = find_style(delimiter, dialect)
        self._delimiter = self._style.delimiter
        self._decoding = decoding
        self._known: KnownCells | None = None
        self._seen: list[list[str]] = []
        self.header: list[str] = []
        for line in self._lines.look_ahead(100):
            if line.strip("\r\n"):
                check_delimiter(line.lstrip("\ufeff"), self._delimiter, path, stated=dialect.sep is not None)
                break
        for first, record in enumerate(self._records()):
            if not first and is_excel_line(self._delimiter.join(record.cells), self._delimiter):
                continue
            if record.fault:
                raise DataError(f"{path}, line {record.start}: {record.fault}")
            self.header = record.cells
            check_header(self.header, path)
            break

    def rows(self) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
        """Yield each row behind the header with the number of its first line."""
        check = RowCheck(self.header)
        for record in self._records():
            fault = record.fault or check.find_fault(record.cells, self._lines.has_cut)
            cells = {name: _clean(cell) or None for name, cell in zip(self.header, record.cells, strict=False)}
            yield record.start, BadRow(cells, fault) if fault else cells

    def _records(self) -> Iterator["_StreamedRecord"]:
        while (line := self._lines.take()) is not None:
            if line.strip("\r\n"):
                yield self._read_record(line)

    def _read_record(self, line: str) -> "_StreamedRecord":
        """Return the record that begins with a line; its further lines are taken, too."""
        start = self._lines.number
        plain = line.rstrip("\r\n").split(self._delimiter)
        fault = self._find_byte(line) or (f"found a line of {LONGEST_LINE:,} characters" * (len(line) >= LONGEST_LINE))
        mark = self._style.quotechar
        quotes = any(cell.startswith('"') for cell in plain) if mark is None else mark != "" and mark in line
        if fault or not quotes:
            if not fault and self._known is None and len(self._seen) < SAMPLE and len(plain) == len(self.header):
                self._seen.append(plain)
            return _StreamedRecord(start, plain, fault)
        quoted, error = self._read_quoted(line, start)
        judged = self._judge(quoted, error)
        if quoted is None or judged != "":
            return _StreamedRecord(start, plain, judged or "")
        more = [self._lines.take() or "" for _ in range(quoted.stop - start)]
        return _StreamedRecord(start, quoted.cells, next(filter(None, map(self._find_byte, more)), ""))

    def _judge(self, quoted: Record | None, error: str) -> str | None:
        """Say what is wrong with a record that has quotation marks; None where these are plain characters."""
        width, is_tsv = len(self.header), self._style.quotechar is None
        if quoted is None:
            return None if is_tsv else self._style.say_broken(error)
        if width and len(quoted.cells) != width:
            return None if is_tsv else ""
        if not width or quoted.stop == quoted.start:
            return ""
        if is_tsv:
            meant = means_quotes(quoted, width, self._known_cells())
            return say_swallowed(quoted) if meant is None else "" if meant else None
        return say_swallowed(quoted) if has_swallowed(quoted, width, self._delimiter, self._known_cells()) else ""

    def _read_quoted(self, line: str, start: int) -> tuple[Record | None, str]:
        """Read a record as the `csv` module writes it, looking ahead; or return what is wrong with it."""
        limit = csv.field_size_limit(LONGEST_CELL)
        try:
            lines = chain([line], self._lines.look_ahead(MOST_LINES))
            reader = csv.reader(lines, **self._style.options)
            cells = next(reader)
        except csv.Error as error:
            return None, str(error)
        finally:
            csv.field_size_limit(limit)
        return Record(start, start - 1 + reader.line_num, cells), ""

    def _find_byte(self, line: str) -> str:
        """Say which byte of a line cannot be read; "" where all can."""
        found = None if line.isascii() else _UNREADABLE.search(line)
        return "" if found is None else self._decoding.explain(ord(found.group()) - 0xDC00)

    def _known_cells(self) -> KnownCells:
        """Return what stands in rows without quotation marks, from the first ones of the file."""
        if self._known is None:
            ahead = self._lines.look_ahead(SAMPLE - len(self._seen))
            rows = (line.rstrip("\r\n").split(self._delimiter) for line in ahead if '"' not in line)
            self._known = KnownCells([*self._seen, *(row for row in rows if len(row) == len(self.header))])
            self._seen = []
        return self._known


class _StreamedRecord(NamedTuple):
    start: int
    cells: list[str]
    fault: str


class _Lines:
    """Lines of a file, with their ends; those that are looked at are kept until they are taken.

    Attributes:
        number: of the line that was taken last, from 1.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._ahead: deque[str] = deque()
        self._last = ""
        self.number = 0

    def has_cut(self) -> bool:
        """Whether the line that was taken last has no end."""
        return not self._last.endswith(("\n", "\r")) and len(self._last) < LONGEST_LINE

    def take(self) -> str | None:
        """Return the next line, None at the end."""
        line = self._ahead.popleft() if self._ahead else self._read()
        self.number += 1
        if self.number == 1 and line:
            # Spreadsheets write a byte order mark, and what converts their files sometimes a second one.
            line = line.lstrip("\ufeff")
        self._last = line
        return line or None

    def look_ahead(self, most: int) -> Iterator[str]:
        """Yield the next lines without taking them."""
        size = 0
        for index in range(most):
            if index == len(self._ahead):
                line = self._read()
                if not line:
                    return
                self._ahead.append(line)
            size += len(self._ahead[index])
            if size > LONGEST_LINE:
                return
            yield self._ahead[index]

    def _read(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        rest = line
        while len(rest) == LONGEST_LINE and rest[-1] not in "\r\n":
            rest = self._file.readline(LONGEST_LINE)
        return line


def _clean(cell: str) -> str:
    """Return a cell with a sign in the place of each byte that is not UTF-8."""
    return cell if cell.isascii() else _UNREADABLE.sub("\ufffd", cell)
