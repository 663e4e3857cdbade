"""Rows of a file of any size, or of standard input, read one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from equipoise.dialects import PLAIN, Dialect
from equipoise.errors import DataError, UsageError, shorten
from equipoise.files import check_readable
from equipoise.json_values import as_json_value

from .delimited_stream import DelimitedStream
from .documents import ObjectReader
from .encodings import Decoding
from .rows import BadRow, Rows
from .spreadsheet import open_sheet
from .text_bytes import as_utf8, decode_line, open_text, read_lines

StreamedRow = str | dict[str, Any] | BadRow
_JSON_LIMIT = 200_000_000
"""Bytes of a .json file, at most: it is read into memory as a whole."""
_BATCH = 1024
"""Rows of a Parquet file that are read at once."""


class Meter:
    """How much of an input is read.

    Attributes:
        ended: whether the last row is read.
    """

    def __init__(self) -> None:
        self.ended = False
        self._tell: Callable[[], int] = lambda: 0
        self._total = 0

    def watch(self, tell: Callable[[], int], total: int) -> None:
        """Set what tells how far it is, and where it ends."""
        self._tell, self._total = tell, total

    @property
    def is_known(self) -> bool:
        """Whether the end is known."""
        return self._total > 0

    @property
    def percent(self) -> int:
        """Per cent that are read, from 0; 0 where nobody knows."""
        return 100 * self._tell() // self._total if self._total else 0


@dataclass(frozen=True)
class RowStream:
    """Rows of an input that need not fit into memory.

    Args:
        name: what messages call the input.
        unit: what the rows' numbers count: "line" or "row".
        read: yields from the first row on the number and the row: a text, cells by column, or a bad row.
        columns: the columns of a table; None for texts, and where each row has keys of its own.
        is_text: whether the rows are texts.
        has_text_cells: whether all cells are text, as in CSV files.
        schema: the Arrow schema of a Parquet file.
        path: the file; None for standard input and for texts.
        again: whether it can be read several times.
        dialect: what is stated of how the file is written.
    """

    name: str
    unit: str
    read: Callable[[Meter], Iterator[tuple[int, StreamedRow]]]
    columns: tuple[str, ...] | None = None
    is_text: bool = False
    has_text_cells: bool = False
    schema: Any = None
    path: Path | None = None
    again: bool = True
    dialect: Dialect = PLAIN

    def where(self, number: int) -> str:
        """Name the place of a row by its number."""
        return f"{self.name}, {self.unit} {number}" if self.name else f"{self.unit} {number}"


def stream_texts(texts: Sequence[str]) -> RowStream:
    """Return texts as a stream."""
    return RowStream("", "row", lambda meter: enumerate(texts, start=1), is_text=True)


def stream_lines(file: IO[bytes], name: str, dialect: Dialect = PLAIN) -> RowStream:
    """Return the lines of an open file, such as standard input, as a stream of texts."""
    decoding = Decoding(dialect.encoding)
    return RowStream(
        name,
        "line",
        lambda meter: _read_texts(as_utf8(file, decoding), name, decoding),
        is_text=True,
        again=False,
        dialect=dialect,
    )


def find_ending(name: str) -> str:
    """Return the ending of a file's name in lower case, ".csv" or ".csv.gz"; "" where it has none."""
    path = Path(name.lower())
    return Path(path.stem).suffix + path.suffix if path.suffix == ".gz" else path.suffix


def stream_rows(path: Path, dialect: Dialect = PLAIN) -> RowStream:
    """Return the rows of a file: .txt, .csv, .tsv, .jsonl, each also with .gz behind, .json, .parquet or .xlsx.

    Args:
        path: the file.
        dialect: how it is written, if not in UTF-8 and as its ending says.

    Raises:
        DataError: there is no such file, it cannot be read, or its header is wrong.
        UsageError: something is stated that files of its ending do not have.
    """
    ending = find_ending(path.name)
    if ending.removesuffix(".gz") != ".txt":
        from .reading import check_data_file

        check_data_file(path)
    check_readable(path)
    if problem := dialect.find_misfit([ending.removesuffix(".gz")]):
        raise UsageError(f"{path}: {problem}.")
    return replace(STREAMS[ending](path, dialect), dialect=dialect)


def _text_stream(path: Path, dialect: Dialect) -> RowStream:
    decoding = Decoding(dialect.encoding, path)

    def read(meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
        with open_text(path, meter.watch, decoding) as file:
            yield from _read_texts(file, str(path), decoding)

    return RowStream(str(path), "line", read, is_text=True, path=path)


def _read_texts(file: IO[bytes], name: str, decoding: Decoding) -> Iterator[tuple[int, StreamedRow]]:
    number = 0
    for number, line in read_lines(file):
        # Not rstrip: a text may end in other blanks.
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        yield number, decode_line(line, lambda text: text, decoding)
    if not number:
        raise DataError(f"{name}: found no texts, expected one or more, one per line.")


def _object_stream(path: Path, dialect: Dialect) -> RowStream:
    decoding = Decoding(dialect.encoding, path)

    def read(meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
        empty = True
        with open_text(path, meter.watch, decoding) as file:
            objects = ObjectReader()
            for number, line in read_lines(file):
                if line.strip():
                    empty = False
                    yield number, decode_line(line, lambda text: _read_object(objects, text), decoding, {})
        if empty:
            raise _empty(path)

    return RowStream(str(path), "line", read, path=path)


def _read_object(objects: ObjectReader, line: str) -> StreamedRow:
    # Files that are joined may each begin with a byte order mark.
    record, fault = objects.read(line.lstrip("\ufeff"))
    return BadRow(_plain(record)[0] if isinstance(record, dict) else {}, fault) if fault else _as_row(record)


def _as_row(record: dict[str, Any]) -> StreamedRow:
    """Return a row with cells that strict JSON can hold."""
    cells, deep = _plain(record)
    if not deep:
        return cells
    problem = f"column '{shorten(deep, 60)}': found a cell that is nested too deeply; leave the row or the column out."
    return BadRow(cells, problem)


def _plain(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return cells that strict JSON can hold, and a column with a cell that it cannot, which is left out."""
    cells, deep = {}, ""
    for column, cell in record.items():
        try:
            cells[column] = as_json_value(cell) if isinstance(cell, dict | list | float) else cell
        except RecursionError:
            deep = column or "''"
    return cells, deep


def _array_stream(path: Path, dialect: Dialect) -> RowStream:
    """Return the rows of an array of objects, which is read as a whole."""
    from .reading import read_rows

    if (size := path.stat().st_size) > _JSON_LIMIT:
        raise DataError(
            f"{path}: found {size:,} bytes, expected {_JSON_LIMIT:,} at most in an array of objects; save it as "
            ".jsonl, one object per line, which may have any size."
        )
    rows = read_rows(path, dialect)
    return RowStream(str(path), rows.unit, lambda meter: _rows_of(rows, meter), tuple(rows.columns), path=path)


def _rows_of(rows: Rows, meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
    cells = zip(*rows.columns.values(), strict=True)
    for number, own in zip(rows.numbers, cells, strict=True):
        yield number, _as_row(dict(zip(rows.columns, own, strict=True)))


def _delimited_stream(path: Path, delimiter: str, dialect: Dialect) -> RowStream:
    decoding = Decoding(dialect.encoding, path)

    @contextmanager
    def open_stream(meter: Meter) -> Iterator[DelimitedStream]:
        with (
            open_text(path, meter.watch, decoding) as file,
            TextIOWrapper(file, "utf-8", "surrogateescape", newline="") as text,
        ):
            yield DelimitedStream(text, delimiter, path, dialect, decoding)

    def read(meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
        empty = True
        with open_stream(meter) as stream:
            for row in stream.rows():
                empty = False
                yield row
        if empty:
            raise _empty(path, has_header=True)

    with open_stream(Meter()) as stream:
        columns = tuple(stream.header)
    if not columns:
        raise _empty(path)
    return RowStream(str(path), "line", read, columns, has_text_cells=True, path=path)


def _parquet_stream(path: Path, dialect: Dialect) -> RowStream:
    import pyarrow
    import pyarrow.parquet

    from .reading import from_arrow

    def read(meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
        number = 0
        with _parquet_errors(path), pyarrow.parquet.ParquetFile(path) as file:
            meter.watch(lambda: number, file.metadata.num_rows)
            for batch in file.iter_batches(batch_size=_BATCH):
                columns = from_arrow(pyarrow.Table.from_batches([batch]), str(path)).columns
                for cells in zip(*columns.values(), strict=True):
                    number += 1
                    yield number, dict(zip(columns, cells, strict=True))

    with _parquet_errors(path), pyarrow.parquet.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        from_arrow(schema.empty_table(), str(path))
    if not rows:
        raise _empty(path)
    return RowStream(str(path), "row", read, tuple(schema.names), schema=schema, path=path)


def _sheet_stream(path: Path, dialect: Dialect) -> RowStream:
    def read(meter: Meter) -> Iterator[tuple[int, StreamedRow]]:
        empty = True
        with open_sheet(path, dialect.sheet) as sheet:
            for row in sheet.rows():
                empty = False
                yield row
        if empty:
            raise _empty(path, has_header=True)

    with open_sheet(path, dialect.sheet) as sheet:
        columns = tuple(sheet.header)
    return RowStream(str(path), "row", read, columns, path=path)


@contextmanager
def _parquet_errors(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, UnicodeDecodeError, OSError) as error:
        reason = shorten(" ".join(str(error).split()), 200)
        raise DataError(f"{path}: not a readable Parquet file ({reason}).") from None


def _empty(path: Path, has_header: bool = False) -> DataError:
    from .reading import explain_empty

    return explain_empty(path, has_header)


STREAMS: dict[str, Callable[[Path, Dialect], RowStream]] = {
    ".txt": _text_stream,
    ".csv": lambda path, dialect: _delimited_stream(path, ",", dialect),
    ".tsv": lambda path, dialect: _delimited_stream(path, "\t", dialect),
    ".json": _array_stream,
    ".jsonl": _object_stream,
    ".parquet": _parquet_stream,
    ".xlsx": _sheet_stream,
}
STREAMS |= {f"{ending}.gz": STREAMS[ending] for ending in (".txt", ".csv", ".tsv", ".jsonl")}
"""Streams by file ending."""
