"""Long columns of numbers that grow part by part: in memory while they are small, then in a file of the system's."""

import tempfile
from collections.abc import Sequence
from itertools import chain
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from equipoise.disk import disk_refusal
from equipoise.errors import DataError

LIMIT = 1 << 24
"""Bytes of a column that are held in memory."""
_PIECE = 1 << 20
_MOST_BY_32_BITS = (1 << 31) - 1


class Spool:
    """Numbers of one type, collected in memory, and beyond `LIMIT` in a temporary file that nobody else sees.

    The file has no name: it is gone with the process, however that ends.

    Args:
        of_type: the numbers' type.
    """

    def __init__(self, of_type: npt.DTypeLike) -> None:
        self.type = np.dtype(of_type)
        self.size = 0
        self._parts: list[npt.NDArray[Any]] = []
        self._file: IO[bytes] | None = None

    def add(self, numbers: npt.ArrayLike) -> None:
        """Add numbers at the end.

        Raises:
            DataError: the disk has no room.
        """
        part = np.asarray(numbers, dtype=self.type)
        self.size += len(part)
        if self._file is None and self.size * self.type.itemsize <= LIMIT:
            self._parts.append(part)
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it is open as long as the column)
            for one in (*self._parts, part):
                self._file.write(np.ascontiguousarray(one).data)
        except OSError as error:
            reason = refusal.reason if (refusal := disk_refusal(error)) else str(error)
            raise DataError(
                f"{tempfile.gettempdir()}: the tokens of many rows cannot be kept there ({reason}). Make room, or name "
                "another folder for temporary files (TMPDIR)."
            ) from error
        self._parts.clear()

    def finish(self) -> npt.NDArray[Any]:
        """Return all numbers; what lies in a file is mapped, and read when it is used."""
        if self._file is None:
            self._parts = [np.concatenate([np.zeros(0, dtype=self.type), *self._parts])]
            return self._parts[0]
        self._file.flush()
        return np.memmap(self._file, dtype=self.type, mode="r", shape=(self.size,))

    def join(self, other: "Spool", first: int = 0, more: int = 0) -> None:
        """Add the numbers of another column at the end, from the first on, each with so much more."""
        numbers = other.finish()
        for place in range(first, len(numbers), _PIECE):
            self.add(numbers[place : place + _PIECE] + more)

    def to_arrow(self) -> pa.Array:
        """Return the column as Arrow has it, which copies nothing."""
        return pa.array(self.finish())


class ListSpool:
    """A column of lists of numbers; see `Spool`.

    Args:
        of_type: the numbers' type.
    """

    def __init__(self, of_type: npt.DTypeLike) -> None:
        self._values, self._ends = Spool(of_type), Spool(np.int64)
        self._ends.add([0])

    def add(self, lists: Sequence[Sequence[int]]) -> None:
        """Add lists at the end."""
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        total = int(lengths.sum())
        self._ends.add(self._values.size + np.cumsum(lengths))
        self._values.add(np.fromiter(chain.from_iterable(lists), dtype=self._values.type, count=total))

    def join(self, other: "ListSpool") -> None:
        """Add the lists of another column at the end."""
        self._ends.join(other._ends, first=1, more=self._values.size)
        self._values.join(other._values)

    def to_arrow(self) -> pa.Array:
        """Return the column as Arrow has it."""
        ends, values = self._ends.finish(), pa.array(self._values.finish())
        if self._values.size > _MOST_BY_32_BITS:
            return pa.LargeListArray.from_arrays(pa.array(ends), values)
        return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), values)
