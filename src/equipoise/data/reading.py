"""Reading files into raw rows.

CSV and JSON go through the standard library and not through `datasets`: nothing guesses types (the label
"NA" stays text, "007" keeps its zeros, a column may mix numbers and text), every message can name its line,
and there is no cache to go stale or to litter.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from equipoise.errors import DataError, did_you_mean

from .rows import Rows

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LONGEST_CELL = 2**31 - 1


def read_rows(path: Path) -> Rows:
    """Read a CSV, TSV, JSON (an array of objects), JSONL or Parquet file, text in UTF-8.

    An empty CSV or TSV cell is None; all their other cells are text.

    Raises:
        DataError: the file is missing, empty, of another format, or a line of it cannot be read.
    """
    try:
        rows = _read(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if not rows:
        raise DataError(f"{path}: the file is empty: found no rows, expected one or more. Correct the path.")
    return rows


def from_arrow(table: pyarrow.Table, file: str) -> Rows:
    """Turn an Arrow table into rows."""
    return Rows(file, range(1, table.num_rows + 1), table.to_pydict())


def _read(path: Path) -> Rows | None:
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{path}: found no such file. {_close_names(path)}") from None
    if path.is_dir():
        raise DataError(f"{path}: found a folder, expected a file.")
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: found the ending '{path.suffix}', expected one of {', '.join(FORMATS)}. Convert the file."
        )
    return reader(path) if size else None


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


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        # utf-8-sig also drops the byte order mark that spreadsheets write.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: found a byte that is not UTF-8 (0x{content[error.start]:02x}), "
            "expected UTF-8 text. Save the file as UTF-8."
        ) from None


def _read_csv(path: Path, delimiter: str) -> Rows:
    text = _read_text(path)
    _check_delimiter(text, delimiter, path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        return _csv_rows(_csv_records(reader, path), path)
    finally:
        csv.field_size_limit(limit)


def _check_delimiter(text: str, delimiter: str, path: Path) -> None:
    line = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    if line.lower().startswith("sep="):
        raise DataError(f"{path}, line 1: found {line!r}, a line for Excel, expected the columns' names. Delete it.")
    others = [other for other in _DELIMITERS if other in line]
    if delimiter in line or not others:
        return
    other = max(others, key=line.count)
    endings = {",": "Rename it to .csv", "\t": "Rename it to .tsv"}
    way_out = endings.get(other, f"Save it with {_DELIMITERS[delimiter]}")
    raise DataError(
        f"{path}, line 1: found {_excerpt(line)}, which seems to be separated by {_DELIMITERS[other]}, "
        f"expected {_DELIMITERS[delimiter]}. {way_out}; if it has one column only, rename the column."
    )


def _csv_rows(records: Iterator[tuple[int, list[str]]], path: Path) -> Rows:
    _, header = next(records, (1, []))
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise DataError(f"{path}, line 1: found column '{min(repeated)}' twice, expected different names. Rename one.")
    numbers: list[int] = []
    columns: list[list[str | None]] = [[] for _ in header]
    for number, record in records:
        if len(record) != len(header):
            raise DataError(
                f"{path}, line {number}: found {len(record)} cells, expected {len(header)} as in the header "
                f"({', '.join(header)}). Put a cell that holds the delimiter or a line break in double quotes."
            )
        numbers.append(number)
        for cells, cell in zip(columns, record, strict=True):
            cells.append(cell or None)
    return Rows(str(path), numbers, dict(zip(header, columns, strict=True)), unit="line")


def _csv_records(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank with the line it starts on."""
    while True:
        start = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: found a broken cell ({error}), expected each quoted cell to end with "
                "a double quote and to double the quotes inside. Correct the line, or save the file as JSONL."
            ) from None
        if record:
            yield start, record


def _read_jsonl(path: Path) -> Rows:
    return _parse_jsonl(_read_text(path), path)


def _parse_jsonl(text: str, path: Path) -> Rows:
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    # Not splitlines: JSON strings may hold U+2028, where it would split.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            _, reason = _explain_json(error, line)
            raise DataError(
                f"{path}, line {number}: found {_excerpt(line)}, expected one JSON object a line ({reason}). "
                "Correct or delete the line."
            ) from None
        _check_record(record, _has_surrogates(line), f"{path}, line {number}")
        numbers.append(number)
        records.append(record)
    return _from_records(path, numbers, records, unit="line")


def _read_json(path: Path) -> Rows:
    text = _read_text(path)
    if not text.lstrip().startswith("["):
        return _parse_jsonl(text, path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = _explain_json(error, text)
        raise DataError(
            f"{path}, line {line}: not valid JSON ({reason}), expected an array of objects, or one object a line."
        ) from None
    surrogates = _has_surrogates(text)
    for number, record in enumerate(records, start=1):
        _check_record(record, surrogates, f"{path}, row {number}")
    return _from_records(path, range(1, len(records) + 1), records, unit="row")


def _explain_json(error: Exception, text: str) -> tuple[int, str]:
    """Return the line on which JSON cannot be read, and why."""
    if isinstance(error, json.JSONDecodeError):
        return error.lineno, f"{error.msg}, column {error.colno}"
    if isinstance(error, RecursionError):
        return 1, "nested too deeply"
    # The one other ValueError: Python converts no longer numbers, for safety.
    most = sys.get_int_max_str_digits()
    number = re.search(rf"\d{{{most + 1},}}", text)
    return text.count("\n", 0, number.start() if number else 0) + 1, f"a number of more than {most} digits"


def _has_surrogates(text: str) -> bool:
    return "\\ud" in text or "\\uD" in text


def _check_record(record: Any, surrogates: bool, where: str) -> None:
    if not isinstance(record, dict):
        raise DataError(f"{where}: found {_excerpt(json.dumps(record))}, expected one JSON object.")
    if surrogates:
        try:
            json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{where}: found half of a surrogate pair (\\ud…), expected whole characters. Correct or delete it."
            ) from None


def _from_records(path: Path, numbers: Sequence[int], records: Sequence[dict[str, Any]], unit: str) -> Rows:
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return Rows(str(path), numbers, columns, unit)


def _read_parquet(path: Path) -> Rows:
    try:
        return from_arrow(pyarrow.parquet.read_table(path), str(path))
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}).") from None


def _excerpt(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:59] + "…")


FORMATS: dict[str, Callable[[Path], Rows]] = {
    ".csv": lambda path: _read_csv(path, ","),
    ".tsv": lambda path: _read_csv(path, "\t"),
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
"""Readers by file ending."""
