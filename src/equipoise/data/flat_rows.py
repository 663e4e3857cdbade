"""Encoded rows as arrays, from which batches are taken without a Python object for each row or token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch

Places = npt.NDArray[np.int64]
Items = Sequence[Mapping[str, Any]]


class _Column(NamedTuple):
    """A column of numbers, or of lists of numbers: their values, and where those of each row begin and end.

    Args:
        values: the numbers of all rows, one row behind the other.
        offsets: of lists, where each row begins in them, and the last one ends; None where each row has one number.
    """

    values: npt.NDArray[Any]
    offsets: npt.NDArray[Any] | None


class FlatRows(torch.utils.data.Dataset[dict[str, Any]]):
    """Rows whose columns are read as arrays: a column of lists as all of its numbers, and where each row begins.

    A column is read when it is first asked for, once. What lies in memory, or in a mapped file, in one piece is not
    copied. Texts stay where they are.

    Args:
        rows: what `tokenize` or `PromptEncoder.encode` returned, or rows of it: a table, or a dictionary for each row.

    Example:
        >>> rows = FlatRows([{"input_ids": [5, 6]}, {"input_ids": [7]}])
        >>> values, lengths = rows.take([1, 0]).lists("input_ids")
        >>> values.tolist(), lengths.tolist()
        ([7, 5, 6], [1, 2])
    """

    def __init__(self, rows: datasets.Dataset | pa.Table | Items) -> None:
        self._rows: pa.Table | Items = rows.with_format("arrow")[:] if isinstance(rows, datasets.Dataset) else rows
        self._arrow: dict[str, pa.ChunkedArray] = {}
        self._columns: dict[str, _Column] = {}
        self._valid: dict[str, npt.NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> dict[str, Any]:
        if isinstance(self._rows, pa.Table):
            return self._rows.slice(row, 1).to_pylist()[0]
        return dict(self._rows[row])

    def __getitems__(self, rows: Sequence[int]) -> "RowBatch":
        """Return several rows; see `take`."""
        return self.take(rows)

    def take(self, rows: Sequence[int] | Places) -> "RowBatch":
        """Return some rows, by their numbers; nothing is read yet."""
        return RowBatch(self, np.asarray(rows, dtype=np.int64))

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        if isinstance(self._rows, pa.Table):
            return name in self._rows.column_names
        return bool(self._rows) and name in self._rows[0]

    def arrow(self, name: str) -> pa.ChunkedArray:
        """Return a column as it is kept."""
        if name not in self._arrow:
            if isinstance(self._rows, pa.Table):
                self._arrow[name] = self._rows[name]
            else:
                self._arrow[name] = pa.chunked_array([pa.array([row[name] for row in self._rows])])
        return self._arrow[name]

    def column(self, name: str) -> _Column:
        """Return a column of numbers, or of lists of them, as arrays; what is missing is 0, or an empty list."""
        if name not in self._columns:
            self._columns[name] = _read(self.arrow(name))
        return self._columns[name]

    def lengths(self, name: str) -> Places:
        """Return how long the lists of a column are, shape (rows,)."""
        offsets = self.column(name).offsets
        assert offsets is not None  # a column of lists
        return np.diff(offsets).astype(np.int64)

    def names(self, name: str) -> npt.NDArray[np.object_]:
        """Return a column of few different texts, each of which is there once, shape (rows,)."""
        column = self.arrow(name)
        values = column.unique()
        return np.array(values.to_pylist(), dtype=object)[pc.index_in(column, values).to_numpy()]

    def valid(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which rows have a value in a column, shape (rows,)."""
        if name not in self._valid:
            self._valid[name] = self.arrow(name).is_valid().to_numpy()
        return self._valid[name]


@dataclass(frozen=True)
class RowBatch:
    """Some rows of a table.

    Args:
        rows: the table.
        places: their numbers in it, shape (n,).
    """

    rows: FlatRows
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return self.rows.has(name)

    def part(self, chosen: Places) -> "RowBatch":
        """Return some of the rows, by their numbers in the batch."""
        return RowBatch(self.rows, self.places[chosen])

    def find(self, name: str) -> Places:
        """Return which rows of the batch have a value in a column; none where there is no such column."""
        if not self.has(name):
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.rows.valid(name)[self.places])

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return a column of numbers, shape (n,)."""
        return self.rows.column(name).values[self.places]

    def lengths(self, name: str) -> Places:
        """Return how long the lists of a column are, shape (n,)."""
        offsets = self.rows.column(name).offsets
        assert offsets is not None  # a column of lists
        return (offsets[self.places + 1] - offsets[self.places]).astype(np.int64)

    def lists(self, name: str) -> tuple[npt.NDArray[Any], Places]:
        """Return the numbers of a column of lists, one list behind the other, and how long each is."""
        values, offsets = self.rows.column(name)
        assert offsets is not None  # a column of lists
        lengths = self.lengths(name)
        return values[spread(offsets[self.places].astype(np.int64), lengths)], lengths

    def objects(self, name: str) -> list[Any]:
        """Return a column of any kind as Python objects; for texts, of which few are read."""
        column = self.rows.arrow(name)
        return [column[place].as_py() for place in self.places.tolist()]


EncodedRows = RowBatch | Items
"""Rows of `FlatRows`, or a dictionary for each row."""


def as_batch(rows: EncodedRows) -> RowBatch:
    """Return rows as a batch, where they are none yet."""
    return rows if isinstance(rows, RowBatch) else FlatRows(rows).take(np.arange(len(rows)))


def spread(starts: Places, lengths: Places) -> Places:
    """Return the numbers of stretches, one behind the other, by where each begins and how long it is.

    Example:
        >>> spread(np.array([7, 2]), np.array([3, 1])).tolist()
        [7, 8, 9, 2]
    """
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def _read(column: pa.ChunkedArray) -> _Column:
    column = _rejoin(column)
    if not _is_list(column.type):
        if pa.types.is_null(column.type):
            return _Column(np.zeros(len(column), dtype=np.int64), None)
        return _Column((column.fill_null(0) if column.null_count else column).to_numpy(), None)
    parts, offsets, end = [], [np.zeros(1, dtype=np.int64)], 0
    for chunk in column.chunks:
        # Missing lists may have numbers that do not count.
        own = chunk.fill_null([]) if chunk.null_count else chunk
        if column.num_chunks == 1:
            return _Column(_numbers(own.values), own.offsets.to_numpy())
        bounds = own.offsets.to_numpy().astype(np.int64)
        parts.append(_numbers(own.values)[bounds[0] : bounds[-1]])
        offsets.append(bounds[1:] - bounds[0] + end)
        end = int(offsets[-1][-1]) if len(bounds) > 1 else end
    return _Column(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64), np.concatenate(offsets))


def _rejoin(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column that was cut into parts, as `datasets` does, in one piece, where nothing has to be copied."""
    chunks = column.chunks
    if len(chunks) < 2 or pa.types.is_null(column.type):
        return column
    places = [_addresses(chunk) for chunk in chunks]
    follows = all(other.offset == one.offset + len(one) for one, other in pairwise(chunks))
    if not follows or any(place != places[0] for place in places):
        return column
    first, children = chunks[0], []
    own = first.buffers()
    if _is_list(column.type):
        children, own = [first.values], own[:2]
    whole = pa.Array.from_buffers(column.type, len(column), own, offset=first.offset, children=children)
    return pa.chunked_array([whole])


def _addresses(array: pa.Array) -> list[int | None]:
    return [None if buffer is None else buffer.address for buffer in array.buffers()]


def _is_list(of_type: pa.DataType) -> bool:
    return pa.types.is_list(of_type) or pa.types.is_large_list(of_type)


def _numbers(values: pa.Array) -> npt.NDArray[Any]:
    # Where all lists are empty, their elements have no type.
    if pa.types.is_null(values.type):
        return np.zeros(len(values), dtype=np.int64)
    return values.to_numpy(zero_copy_only=False)
