"""JSON and JSONL files."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import DataError

from .bad_lines import BadLines, excerpt
from .cells import are_many, join, pack, pack_parts
from .rows import Rows

_MOST_NAMES = 10_000
_MOST_CELLS = 50_000_000
_MOST_IN_A_ROW = 20
"""Objects in a list of one row, at most; a longer list on the only line of a file holds the rows themselves."""


class ObjectReader:
    """Reads JSON objects, and notes keys that repeat in one."""

    def __init__(self) -> None:
        self.repeated: list[str] = []
        self.decoder = json.JSONDecoder(object_pairs_hook=self._read)

    def read(self, line: str) -> tuple[Any, str]:
        """Return what one line holds, and what is wrong with it; "" if it is an object as it should be."""
        try:
            record = self.decoder.decode(line)
        except (ValueError, RecursionError) as error:
            _, reason = _explain(error, line)
            return (
                None,
                f"found {excerpt(line)}, expected one JSON object a line ({reason}). Correct or delete the line.",
            )
        return record, _find_fault(record, _has_surrogates(line), self.take_repeated())

    def take_repeated(self) -> str | None:
        """Return a key that repeated since the last call."""
        found = self.repeated[0] if self.repeated else None
        self.repeated.clear()
        return found

    def _read(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            self.repeated.append(max(names, key=names.count))
        return found


def read_jsonl(text: str, path: Path) -> Rows:
    """Read one object a line.

    Raises:
        DataError: lines are no JSON objects; the message counts all of them.
    """
    bad = BadLines(path)
    objects = ObjectReader()
    records = _Records(path, "line")
    for number, line in enumerate(_split(text), start=1):
        # Files that are joined may each begin with a byte order mark.
        line = line.lstrip("\ufeff")
        if not line.strip():
            continue
        record, fault = objects.read(line)
        if fault:
            bad.add(number, fault)
        else:
            records.add(number, record)
    bad.stop()
    return records.finish()


def _split(text: str) -> Iterator[str]:
    # Not splitlines: JSON strings may hold U+2028, where it would split. And one line at a time.
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def read_json(text: str, path: Path) -> Rows:
    """Read an array of objects, or one object a line.

    Raises:
        DataError: it is neither; the message counts all rows that are no objects.
    """
    if not text.lstrip().startswith("["):
        if fault := find_rows_inside(text):
            raise DataError(f"{path}: {fault}")
        return read_jsonl(text, path)
    objects = ObjectReader()
    try:
        records = objects.decoder.decode(text)
    except (ValueError, RecursionError) as error:
        line, reason = _explain(error, text)
        raise DataError(
            f"{path}, line {line}: not valid JSON ({reason}), expected an array of objects, or one object a line."
        ) from None
    surrogates = _has_surrogates(text)
    repeated = _find_repeated(text, len(records)) if objects.repeated else {}
    bad = BadLines(path, "row")
    for number, record in enumerate(records, start=1):
        if fault := _find_fault(record, surrogates, repeated.get(number)):
            bad.add(number, fault)
    bad.stop()
    return _from_records(path, range(1, len(records) + 1), records, unit="row")


def find_rows_inside(text: str) -> str:
    """Say that a text is one object as a whole, and where in it the rows stand: "" where it is none.

    One line may be a row, also with a list of a few objects, such as opinions.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(whole, dict):
        return ""
    expected = "expected an array of objects, or one object a line"
    is_one_line = "\n" not in text.strip()
    lists = {name: cell for name, cell in whole.items() if isinstance(cell, list) and _are_objects(cell)}
    if lists and (not is_one_line or max(map(len, lists.values())) > _MOST_IN_A_ROW):
        name, rows = max(lists.items(), key=lambda item: len(item[1]))
        return (
            f"found one object whose {excerpt(name)} is an array of objects ({len(rows):,}), {expected}. "
            "Save that array as a file of its own."
        )
    if is_one_line:
        return ""
    return f"found one object over several lines, {expected}. Save the rows as such; from pandas by orient='records'."


def _are_objects(cells: list[Any]) -> bool:
    return bool(cells) and all(isinstance(cell, dict) for cell in cells)


def _find_repeated(text: str, count: int) -> dict[int, str]:
    """Return a key that repeats by the row of an array, which is read once more, row by row."""
    objects = ObjectReader()
    found: dict[int, str] = {}
    place = text.index("[") + 1
    for number in range(1, count + 1):
        while text[place] in " \t\r\n,":
            place += 1
        _, place = objects.decoder.raw_decode(text, place)
        if (name := objects.take_repeated()) is not None:
            found[number] = name
    return found


def _explain(error: Exception, text: str) -> tuple[int, str]:
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


def _find_fault(record: Any, surrogates: bool, repeated: str | None) -> str:
    """Say what is wrong with a row, nothing if it is an object as it should be."""
    if not isinstance(record, dict):
        return f"found {excerpt(json.dumps(record)[:1000])}, expected one JSON object."
    if repeated is not None:
        return f"found the key {excerpt(repeated)} twice in one object, expected it once. Delete one of the two."
    if surrogates:
        try:
            json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "found half of a surrogate pair (\\ud…), expected whole characters. Correct or delete it."
    return ""


class _Records:
    """Collects records, and makes rows of them.

    Args:
        path: their file.
        unit: what their numbers count.
    """

    def __init__(self, path: Path, unit: str) -> None:
        self._path, self._unit = path, unit
        self._numbers: list[int] = []
        self._records: list[dict[str, Any]] = []
        self._packed: dict[str, list[Sequence[Any]]] = {}
        self._places: list[Sequence[int]] = []
        self._count = 0

    def add(self, number: int, record: dict[str, Any]) -> None:
        """Add a record at the end."""
        self._numbers.append(number)
        self._records.append(record)
        if are_many(len(self._records)):
            self._pack()

    def finish(self) -> Rows:
        """Return the rows.

        Raises:
            DataError: there are too many different keys.
        """
        if not self._packed:
            return _from_records(self._path, self._numbers, self._records, self._unit)
        self._pack()
        columns = {name: join(parts) for name, parts in self._packed.items()}
        return Rows(str(self._path), join(self._places), columns, self._unit)

    def _pack(self) -> None:
        rows = _from_records(self._path, self._numbers, self._records, self._unit)
        for name in rows.columns:
            if name not in self._packed:
                self._packed[name] = [pack_parts([[None] * self._count])]
        self._count += len(rows)
        _check_names(self._path, len(self._packed), self._count)
        missing = [None] * len(rows)
        for name, parts in self._packed.items():
            parts.append(pack_parts([rows.columns.get(name, missing)]))
        self._places.append(pack_parts([self._numbers]))
        self._numbers, self._records = [], []


def _from_records(path: Path, numbers: Sequence[int], records: Sequence[dict[str, Any]], unit: str) -> Rows:
    names = dict.fromkeys(name for record in records for name in record)
    _check_names(path, len(names), len(records))
    columns = {name: pack((record.get(name) for record in records), len(records)) for name in names}
    return Rows(str(path), numbers, columns, unit)


def _check_names(path: Path, names: int, records: int) -> None:
    if names > _MOST_NAMES and names * records > _MOST_CELLS:
        raise DataError(
            f"{path}: found {names} different keys in {records} objects, expected the columns of a table. "
            "Write what differs from row to row as a value, not as a key."
        )
