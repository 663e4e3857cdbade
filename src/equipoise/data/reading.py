"""Reading files into raw rows.

CSV and JSON go through the standard library and not through `datasets`: nothing guesses types (the label
"NA" stays text, "007" keeps its zeros, a column may mix numbers and text), every message can name its line,
and there is no cache to go stale or to litter.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from equipoise.dialects import PLAIN, Dialect
from equipoise.errors import DataError, did_you_mean
from equipoise.files import check_readable
from equipoise.kinds import shorten

from .bad_lines import excerpt
from .cells import CHUNK, are_many, join, pack_parts
from .delimited import check_delimiter, check_is_text, find_style, read_delimited
from .documents import read_json, read_jsonl
from .encodings import Decoding, detect_encoding, read_sample
from .faults import Faults
from .rows import Rows
from .spreadsheet import read_sheet
from .stand_ins import find_in_memory

_LARGEST = 4_000_000_000
"""Bytes of a data file: it is read into memory as a whole."""


_TABLES = (".csv", ".tsv", ".xlsx")
"""Files with a header."""


def read_rows(path: Path, dialect: Dialect = PLAIN) -> Rows:
    """Read a CSV, TSV, JSON (an array of objects), JSONL, Parquet or XLSX file.

    An empty cell of a CSV, TSV or XLSX file is None; all other cells of CSV and TSV files are text.

    Args:
        path: the file.
        dialect: how it is written, if not in UTF-8 and as its ending says; what it states for other files than this
            one is passed over.

    Raises:
        DataError: the file is missing, empty, of another format, or a line of it cannot be read.
    """
    if (given := find_in_memory(path)) is not None:
        return given
    try:
        rows = _read(path, dialect)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if not rows:
        raise explain_empty(path, rows is not None and path.suffix.lower() in _TABLES)
    return rows


def from_arrow(table: pyarrow.Table, file: str) -> Rows:
    """Turn an Arrow table into rows; bytes that are UTF-8 become text.

    Raises:
        DataError: a column's name repeats.
    """
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise DataError(f"{file}: found column {excerpt(min(repeated))} twice, expected different names. Rename one.")
    columns: dict[str, Sequence[Any]] = table.to_pydict()
    for field in table.schema:
        if "binary" in str(field.type):
            columns[field.name] = [_decode(cell) for cell in columns[field.name]]
    return Rows(file, range(1, table.num_rows + 1), columns)


def from_batches(tables: Iterable[pyarrow.Table], file: str) -> Rows:
    """Turn the parts of a large table into rows; see `from_arrow`."""
    columns: dict[str, list[Sequence[Any]]] = {}
    rows = 0
    for table in tables:
        for name, cells in from_arrow(table, file).columns.items():
            columns.setdefault(name, []).append(pack_parts([cells]))
        rows += table.num_rows
    return Rows(file, range(1, rows + 1), {name: join(parts) for name, parts in columns.items()})


def _decode(cell: Any) -> Any:
    """Return bytes as text where they are UTF-8; what reads them refuses others."""
    if isinstance(cell, list):
        return [_decode(item) for item in cell]
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            pass
    return cell


def _read(path: Path, dialect: Dialect) -> Rows | None:
    check_data_file(path)
    size = check_readable(path, _LARGEST).st_size
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: found the ending '{shorten(path.suffix, 20)}', expected one of {', '.join(FORMATS)}. "
            "Convert the file."
        )
    return reader(path, dialect) if size else None


def check_data_file(path: Path) -> None:
    """Make sure that there is a file, or name those that have a similar name.

    Raises:
        DataError: there is none.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: found no such file. {_close_names(path)}") from None
    except (OSError, ValueError):  # `check_readable` says what is wrong with the path
        pass


def explain_empty(path: Path, has_header: bool) -> DataError:
    """Return the error of a file without rows."""
    if has_header:
        return DataError(
            f"{path}: found a header and no rows, expected one or more. Fill the file, or correct the path."
        )
    return DataError(f"{path}: the file is empty: found no rows, expected one or more. Correct the path.")


def _close_names(path: Path) -> str:
    if not path.parent.is_dir():
        missing = path.parent
        while not missing.parent.is_dir():
            missing = missing.parent
        close = did_you_mean(missing.name, [entry.name for entry in missing.parent.iterdir() if entry.is_dir()])
        hint = close if close.startswith("Did you mean") else "Correct the path."
        return f"There is no folder {missing}. {hint}"
    names = [file.name for file in path.parent.iterdir() if file.is_dir() or file.suffix.lower() in FORMATS]
    return did_you_mean(path.name, names) if names else "Its folder holds no data file; correct the path."


def _read_text(path: Path, dialect: Dialect) -> str:
    try:
        return Decoding(dialect.encoding, path).decode(path.read_bytes())
    except DataError:
        check_is_text(read_sample(path).decode("latin-1"), path)
        raise


def _read_delimited(path: Path, delimiter: str, dialect: Dialect) -> Rows:
    """Read a CSV or TSV file; where its encoding is another one, a wrong delimiter is said, too."""
    try:
        text = _read_text(path, dialect)
    except DataError as error:
        beginning = read_sample(path)
        guess = detect_encoding(beginning)
        header = beginning.decode(guess or "latin-1", errors="replace").lstrip("\ufeff")
        check_is_text(header, path)
        faults = Faults()
        with faults.catch():
            raise error
        with faults.catch():
            stated = dialect.sep is not None
            check_delimiter(header, find_style(delimiter, dialect).delimiter, path, stated=stated)
        faults.stop()
        raise
    return read_delimited(text, delimiter, path, dialect)


def _read_parquet(path: Path, dialect: Dialect) -> Rows:
    try:
        # Not read_table, which takes columns from the folders' names, too.
        with pyarrow.parquet.ParquetFile(path) as file:
            if not are_many(file.metadata.num_rows):
                return from_arrow(file.read(), str(path))
            return from_batches((pyarrow.table(batch) for batch in file.iter_batches(CHUNK)), str(path))
    except (pyarrow.ArrowException, UnicodeDecodeError, ValueError) as error:
        reason = shorten(" ".join(str(error).split()), 200)
        raise DataError(f"{path}: not a readable Parquet file ({reason}).") from None


FORMATS: dict[str, Callable[[Path, Dialect], Rows]] = {
    ".csv": lambda path, dialect: _read_delimited(path, ",", dialect),
    ".tsv": lambda path, dialect: _read_delimited(path, "\t", dialect),
    ".json": lambda path, dialect: read_json(_read_text(path, dialect), path),
    ".jsonl": lambda path, dialect: read_jsonl(_read_text(path, dialect), path),
    ".parquet": _read_parquet,
    ".xlsx": lambda path, dialect: read_sheet(path, dialect.sheet),
}
"""Readers by file ending."""
