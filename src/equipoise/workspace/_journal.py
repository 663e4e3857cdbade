"""The journal of finished cells: one line of JSON each."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from equipoise.errors import OVERWRITE, TrainingError
from equipoise.files import append_json_line, read_json_lines

Key = TypeVar("Key", bound=Hashable)
Record = TypeVar("Record", bound=Mapping[str, Any])


class Journal(Generic[Key, Record]):
    """Finished cells, one line each; lines are only ever appended, and of a cell the last one counts.

    A line that a kill has cut short is ignored, and removed by the next line.

    Args:
        path: the file; it need not exist.
        key: the field of a record that names its cell.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key

    def read(self) -> dict[Key, Record]:
        """Return the last record of every cell by its key.

        Raises:
            TrainingError: a line is no record of this version.
        """
        found: dict[Key, Record] = {}
        for line in read_json_lines(self.path):
            if not isinstance(line, dict) or self._key not in line:
                raise TrainingError(
                    f"{self.path}: found a line without '{self._key}', which is of another version, or none of ours; "
                    f"start from scratch with {OVERWRITE}."
                )
            found[cast(Key, line[self._key])] = cast(Record, line)
        return found

    def append(self, record: Record) -> None:
        """Append a record, and see it on the disk before returning."""
        append_json_line(self.path, record)
