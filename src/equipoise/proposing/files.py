"""Files as they are found: how each is to be read, and what is known of its rows."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from equipoise.data import find_rows_inside
from equipoise.errors import DataError, shorten
from equipoise.files import check_readable

from .binary_files import read_parquet, read_xlsx
from .detecting import find_encoding
from .facts import TableFacts, gather
from .file_facts import FileFacts
from .headers import check_header, detect_below_titles
from .sampled_lines import SampledLines

_HEAD_BYTES = 200_000
_MOST_FAULTS = 100
_JSON_BYTES = 200_000_000
ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")
"""Endings of files that can be sources."""
_USUAL = {".csv": ",", ".tsv": "\t"}
_FOR_EXCEL = re.compile(r'"?sep=([^\r\n"])"?\r?\n', re.IGNORECASE)
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def read_file(path: Path) -> FileFacts:
    """Read a file, or the beginning and some spots of a large one, and find out how it is to be read.

    Raises:
        DataError: it cannot be a source; the message says why.
    """
    ending = path.suffix.lower()
    size = check_readable(path).st_size
    if ending not in ENDINGS:
        what = f"the ending '{shorten(ending, 20)}'" if ending else "no ending"
        raise DataError(f"{path}: found {what}, expected one of {', '.join(ENDINGS)}; convert or rename the file.")
    if not size:
        raise DataError(f"{path}: the file is empty; leave it out.")
    if ending == ".parquet":
        found = read_parquet(path)
    elif ending == ".xlsx":
        found = read_xlsx(path)
    elif ending in _USUAL:
        found = _read_delimited(path, size, _USUAL[ending])
    else:
        found = _read_objects(path, size)
    if not found.facts.rows:
        raise DataError(f"{path}: found no rows, expected one or more; leave the file out.")
    return found


def _start(path: Path) -> FileFacts:
    """Return the facts of a text file that are known from its bytes alone."""
    found = FileFacts(str(path), path, TableFacts())
    encoding = find_encoding(path)
    if encoding.name != "utf-8":
        found.keys["encoding"] = encoding.name
        mistake = encoding.mistake
        found.why["encoding"] = (
            "by its byte order mark"
            if mistake is None
            else f"line {mistake.line} is not UTF-8 (0x{mistake.byte:02x}); seems to be {encoding.name}"
        )
    return found


def _read_delimited(path: Path, size: int, usual: str) -> FileFacts:
    found = _start(path)
    encoding = found.keys.get("encoding", "utf-8-sig")
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        head = file.read(_HEAD_BYTES).lstrip("\ufeff")
    if len(head) == _HEAD_BYTES:
        head = head[: head.rfind("\n") + 1] or head
    if "\0" in head:
        raise DataError(f"{path}: found null characters, expected text; is it a spreadsheet or another binary file?")
    options = _find_options(found, head, usual)
    limit = csv.field_size_limit(2**31 - 1)
    try:
        lines = SampledLines(path, size, encoding)
        reader = csv.reader(lines.beginning(), **options)
        header = next((cells for cells in reader if cells and not _is_for_excel("".join(cells))), [])
        header = [name.lstrip("\ufeff") if place == 0 else name for place, name in enumerate(header)]
        check_header(path, header, head, options)
        records = chain(reader, *(csv.reader(spot, **options) for spot in lines.spots()))
        found.facts = gather(_cells_of(records, header), header)
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as a table ({error}); save it again from a spreadsheet.") from None
    finally:
        csv.field_size_limit(limit)
    found.complete, found.facts.rows = lines.is_whole, lines.estimate(found.facts.rows)
    return found


def _find_options(found: FileFacts, head: str, usual: str) -> dict[str, Any]:
    """Return what the `csv` module must know of a file, and keep what a source must say of it.

    Args:
        found: the file.
        head: its beginning.
        usual: the separator by its ending.
    """
    told = _FOR_EXCEL.match(head)
    dialect = detect_below_titles(head[told.end() :] if told else head, told[1] if told else usual)
    sep = told[1] if told else dialect.sep or usual
    if told or sep != usual:
        found.keys["sep"] = "tab" if sep == "\t" else sep
        found.why["sep"] = "as its first line says" if told else f"cells are separated by {_NAMES[sep]}"
    if dialect.quotechar != '"' and sep != "\t":
        found.keys["quotechar"] = dialect.quotechar or "none"
        found.why["quotechar"] = f"cells stand in {dialect.quotechar}" if dialect.quotechar else "stray quotation marks"
    quoting: dict[str, Any] = {"quotechar": dialect.quotechar} if dialect.quotechar else {"quoting": csv.QUOTE_NONE}
    return {"delimiter": sep, "strict": False, **quoting}


def _is_for_excel(line: str) -> bool:
    """Whether a line is no row, but tells Excel what stands between two cells."""
    return line.lstrip("\ufeff").lower().startswith("sep=") and len(line) <= len("\ufeffsep=;")


def _cells_of(records: Iterable[list[str]], header: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows that have as many cells as the header; the loader counts the others."""
    for cells in records:
        if len(cells) == len(header):
            yield dict(zip(header, (cell or None for cell in cells), strict=True))


def _read_objects(path: Path, size: int) -> FileFacts:
    found = _start(path)
    encoding = found.keys.get("encoding", "utf-8-sig")
    with path.open(encoding=encoding, errors="replace") as file:
        is_array = file.read(10_000).lstrip("\ufeff \t\r\n").startswith("[")
    if is_array:
        if size > _JSON_BYTES:
            raise DataError(
                f"{path}: found {size:,} bytes in one array, expected {_JSON_BYTES:,} at most; save it as JSONL."
            )
        try:
            records = json.loads(path.read_bytes().decode(encoding).lstrip("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not valid JSON ({shorten(str(error), 100)}); correct the file.") from None
        if not all(isinstance(record, dict) for record in records):
            raise DataError(
                f"{path}: expected an array of JSON objects only, found other values in it; correct the file."
            )
        found.facts = gather(records)
        return found
    faults: list[str] = []
    lines = SampledLines(path, size, encoding)
    found.facts = gather(_objects_of(chain(lines.beginning(), *lines.spots()), faults))
    if found.facts.rows <= 1 and lines.is_whole:
        text = path.read_bytes().decode(encoding, errors="replace").lstrip("\ufeff")
        if fault := find_rows_inside(text):
            raise DataError(f"{path}: {fault}")
    if not found.facts.rows:
        reason = faults[0] if faults else "it holds none"
        raise DataError(
            f"{path}: expected an array of JSON objects, or one object a line ({reason}); correct the file."
        )
    found.complete, found.facts.rows = lines.is_whole, lines.estimate(found.facts.rows)
    return found


def _objects_of(lines: Iterable[str], faults: list[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the object of each line; what is wrong with the others is added to `faults`."""
    for line in lines:
        if len(faults) > _MOST_FAULTS:
            return
        if not line.strip():
            continue
        try:
            record = json.loads(line.lstrip("\ufeff"))
        except (ValueError, RecursionError) as error:
            faults.append(shorten(str(error), 80))
            continue
        if isinstance(record, dict):
            yield record
        else:
            faults.append(f"found {shorten(line, 40)}")
