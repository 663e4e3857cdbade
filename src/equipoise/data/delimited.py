"""CSV and TSV files."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from equipoise.dialects import NO_QUOTES, PLAIN, Dialect, say_key
from equipoise.errors import DataError
from equipoise.keys import normalize
from equipoise.kinds import shorten

from .bad_lines import BadLines, excerpt
from .cells import RowPacker
from .encodings import detect_encoding, read_sample
from .headers import check_no_title
from .rows import Rows
from .swallowed import KnownCells, unfold

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars (|)"}
_NO_TEXT = re.compile(r"[\0-\x08\x0e-\x1f\ud800-\udfff]")
LONGEST_CELL = 2**31 - 1
MOST_LINES = 1000
"""Lines of one quoted cell, at most."""
SAMPLE = 10_000
"""Rows by which those that a quoted cell has swallowed are known."""


class Record(NamedTuple):
    """The cells of one row, and the first and last line on which they stand."""

    start: int
    stop: int
    cells: list[str]


class Style(NamedTuple):
    """How cells are parted and enclosed.

    Args:
        delimiter: what stands between two cells.
        quotechar: what encloses a cell; "" where quotation marks are plain characters, None where that is to be found
            out: they mostly are in TSV files.
    """

    delimiter: str
    quotechar: str | None

    @property
    def options(self) -> dict[str, Any]:
        """The options of the `csv` module."""
        quoting: dict[str, Any] = {"quotechar": self.quotechar or '"'}
        if self.quotechar == "":
            quoting = {"quotechar": None, "quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, "strict": True, **quoting}

    def say_broken(self, error: object) -> str:
        """Say that a quoted cell does not end."""
        mark = "a double quote" if self.quotechar in (None, '"') else self.quotechar
        return (
            f"found a broken cell ({error}), expected each quoted cell to end with {mark} and to double the quotes "
            f"inside. Correct the line; if the marks are plain characters, say {say_key('quotechar', NO_QUOTES)}."
        )


def find_style(delimiter: str, dialect: Dialect) -> Style:
    """Return the style of a file.

    Args:
        delimiter: what stands between two cells by the file's ending.
        dialect: what is stated.
    """
    delimiter = dialect.sep or delimiter
    if dialect.quotechar is not None:
        return Style(delimiter, "" if dialect.quotechar == NO_QUOTES else dialect.quotechar)
    return Style(delimiter, None if delimiter == "\t" else '"')


def read_delimited(text: str, delimiter: str, path: Path, dialect: Dialect = PLAIN) -> Rows:
    """Read rows of text, an empty cell as None; the first line names the columns.

    Quoted cells are read as the `csv` module writes them. In TSV files quotation marks mostly are plain characters:
    they are taken as such where a line is a whole row that way and is none with a quoted cell.

    Args:
        text: the file.
        delimiter: what stands between two cells by the file's ending.
        path: the file, for messages.
        dialect: what is stated.

    Raises:
        DataError: the file has a title above its header, is separated by something else, or lines are no rows; the
            message counts all of them.
    """
    style = find_style(delimiter, dialect)
    others = {} if dialect.sep is not None else {other: f", and say {say_key('sep', other)}" for other in _DELIMITERS}
    check_no_title(path, text, style.options, {key: hint for key, hint in others.items() if key != style.delimiter})
    check_delimiter(text, style.delimiter, path, stated=dialect.sep is not None)
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        bad = BadLines(path)
        records = _tsv_records(text, bad) if style.quotechar is None else _csv_records(text, style, bad)
        return _gather(records, style.delimiter, path, bad, _Ending(text))
    finally:
        csv.field_size_limit(limit)


def is_excel_line(line: str, delimiter: str) -> bool:
    """Whether a line is the one by which Excel is told what stands between two cells."""
    return line.lower().strip('\r\n"') == f"sep={delimiter}"


def check_is_text(line: str, path: Path) -> None:
    """Refuse a file that holds no text, such as a picture.

    Args:
        line: its first line, or more of it.
        path: the file.

    Raises:
        DataError: it does not.
    """
    if _NO_TEXT.search(line) and detect_encoding(read_sample(path)) is None:
        raise DataError(f"{path}: found bytes that are no text in any known encoding; is it another kind of file?")


def check_delimiter(text: str, delimiter: str, path: Path, *, stated: bool = False) -> None:
    """Refuse a file whose first line is no header, or is separated by something else.

    Args:
        text: the file, or its first line.
        delimiter: what stands between two cells.
        path: the file.
        stated: whether the user says so; if not, the file's ending does.

    Raises:
        DataError: it is.
    """
    line = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    if line.lower().startswith("sep="):
        if stated and is_excel_line(line, delimiter):
            return
        hint = f"Delete it, or say {say_key('sep', line[4])}" if len(line) == 5 else "Delete it"
        raise DataError(
            f"{path}, line 1: found {excerpt(line)}, a line for Excel, expected the columns' names. {hint}."
        )
    check_is_text(line, path)
    if "\0" in line:
        raise DataError(
            f"{path}, line 1: found {excerpt(line)}, which seems to be UTF-16, expected UTF-8 text. Say "
            f"{say_key('encoding', 'utf-16')}, or save it as UTF-8."
        )
    others = [other for other in _DELIMITERS if other in line]
    if delimiter in line or not others:
        return
    other = max(others, key=line.count)
    raise DataError(
        f"{path}, line 1: found {excerpt(line)}, which seems to be separated by {_DELIMITERS[other]}, expected "
        f"{_DELIMITERS.get(delimiter, repr(delimiter))}. Say {say_key('sep', other)}; if it has one column only, "
        "rename the column."
    )


def _csv_records(text: str, style: Style, bad: BadLines) -> Iterator[Record]:
    """Yield each record that is not blank, up to a broken one."""
    reader = csv.reader(_lines(text), **style.options)
    first = True
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Behind it nobody knows what is a cell and what stands between two.
            bad.add(start, style.say_broken(error))
            return
        if cells:
            if not (first and is_excel_line(style.delimiter.join(cells), style.delimiter)):
                yield Record(start, reader.line_num, cells)
            first = False


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with what ends them, as `io.StringIO` does, which takes four bytes a character."""
    if text.count("\r") != text.count("\r\n"):
        yield from io.StringIO(text, newline="")
        return
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _tsv_records(text: str, bad: BadLines) -> Iterator[Record]:
    """Yield each record that is not blank; of every quotation mark it is decided whether it is a plain character."""
    lines = list(io.StringIO(text, newline=""))
    width: int | None = None
    known: KnownCells | None = None
    index = 0
    while index < len(lines):
        record = Record(index + 1, index + 1, lines[index].rstrip("\r\n").split("\t"))
        quoted = _read_quoted(lines, record.start) if any(cell.startswith('"') for cell in record.cells) else None
        if quoted is not None and (width is None or len(quoted.cells) == width):
            if width is not None and quoted.stop > quoted.start and known is None:
                known = KnownCells(_plain_rows(lines, width))
            meant = True if width is None or known is None else means_quotes(quoted, width, known)
            if meant is None:
                bad.add(record.start, say_swallowed(quoted))
            elif meant:
                record = quoted
        index = record.stop
        if record.cells != [""]:
            width = width or len(record.cells)
            yield record


def means_quotes(quoted: Record, width: int, known: KnownCells) -> bool | None:
    """Whether a record of a TSV file has a quoted cell; None where it may as well be rows with plain characters."""
    if quoted.stop == quoted.start:
        return True
    rows = unfold(quoted.cells, "\t")
    whole = [row for row in rows if len(row) == width]
    if len(whole) < 2:
        return True
    if known.resemble(whole):
        return False if len(whole) == len(rows) else None
    return None if len(whole) == len(rows) else True


def _read_quoted(lines: Sequence[str], start: int) -> Record | None:
    """Read the record that starts on a line as the `csv` module writes it; None where it is none."""
    some = (lines[index] for index in range(start - 1, min(len(lines), start - 1 + MOST_LINES)))
    reader = csv.reader(some, delimiter="\t", strict=True)
    try:
        cells = next(reader)
        return Record(start, start - 1 + reader.line_num, cells)
    except csv.Error:
        return None


def _plain_rows(lines: Sequence[str], width: int) -> Iterator[list[str]]:
    """The first rows behind the header that no quotation mark is in."""
    rows = (line.rstrip("\r\n").split("\t") for line in lines[1:] if '"' not in line)
    return islice((row for row in rows if len(row) == width), SAMPLE)


def say_swallowed(record: Record) -> str:
    """Say that a quoted cell seems to hold rows."""
    return (
        f"found a quotation mark that opens a cell, and the next that could close it on line {record.stop}; what is "
        "between seems to be rows, expected a cell. Remove the quotation marks, or save the file as JSONL."
    )


class RowCheck:
    """Says what is wrong with the cells of a row.

    Args:
        header: the names of the columns.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._width = len(header)
        self._names = set(map(normalize, header))
        self._shown = shorten(", ".join(header), 60)

    def find_fault(self, cells: Sequence[str], is_cut: Callable[[], bool]) -> str:
        """Say that there are too few or too many, or that they are the header; "" where neither is so.

        Args:
            cells: the row.
            is_cut: tells whether the file ends with it, and without a line break.
        """
        if len(cells) != self._width:
            hint = "Put a cell that holds the delimiter or a line break in double quotes."
            if len(cells) < self._width and is_cut():
                hint = (
                    "The file ends here, without a line break: it may be cut off, or still be written. Copy it again."
                )
            return f"found {len(cells)} cells, expected {self._width} as in the header ({self._shown}). {hint}"
        if normalize(cells[0]) in self._names and set(map(normalize, cells)) == self._names:
            return (
                f"found the header again ({self._shown}), as where files are joined, expected a row. Delete the line."
            )
        return ""


class _Ending:
    """Tells whether a record is the last one of a text, and no line break follows."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_open = not text.endswith(("\n", "\r"))
        self._lines = 0

    def has_cut(self, record: Record) -> bool:
        """Whether the text ends with a record, and without a line break."""
        if self._is_open and not self._lines:
            self._lines = sum(1 for _ in io.StringIO(self._text, newline=""))
        return record.stop == self._lines


def _gather(records: Iterator[Record], delimiter: str, path: Path, bad: BadLines, ending: _Ending) -> Rows:
    """Return records as rows, after the header."""
    header = next(records, Record(1, 1, [])).cells
    bad.stop()
    check_header(header, path)
    cells = RowCheck(header)
    rows = RowPacker(1 + len(header))
    long: list[Record] = []
    short: list[list[str]] = []
    for record in records:
        if fault := cells.find_fault(record.cells, partial(ending.has_cut, record)):
            bad.add(record.start, fault)
        if len(record.cells) != len(header):
            continue
        rows.add([record.start, *(cell or None for cell in record.cells)])
        if record.stop > record.start:
            long.append(record)
        elif len(short) < SAMPLE:
            short.append(record.cells)
    _check_long(long, short, len(header), delimiter, bad)
    bad.stop()
    numbers, *columns = rows.columns()
    return Rows(str(path), numbers, dict(zip(header, columns, strict=True)), unit="line")


def check_header(header: Sequence[str], path: Path) -> None:
    """Refuse columns of one name.

    Raises:
        DataError: there are some.
    """
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path}, line 1: found column {excerpt(min(repeated))} twice, expected different names. Rename one."
        )


def _check_long(long: Sequence[Record], short: Sequence[list[str]], width: int, delimiter: str, bad: BadLines) -> None:
    """Look for quoted cells that have swallowed rows: in records of several lines, beside the cells of some of one."""
    if not long:
        return
    known = KnownCells(short)
    for record in long:
        if has_swallowed(record, width, delimiter, known):
            bad.add(record.start, say_swallowed(record))


def has_swallowed(record: Record, width: int, delimiter: str, known: KnownCells) -> bool:
    """Whether a quoted cell of several lines seems to hold rows."""
    rows = unfold(record.cells, delimiter)
    whole = len(rows) > 1 and all(len(row) == width for row in rows)
    return record.stop - record.start >= MOST_LINES or (width > 1 and whole and known.resemble(rows))
