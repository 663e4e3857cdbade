"""Columns of very many cells in a few bytes each, where a Python object would take fifty."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa  # at run time only where something is packed: texts are answered without it

MANY = 50_000
"""Cells of a column, from which they are packed: below it they are a list, which is faster."""
CHUNK = 1 << 15
_FEW = 256
"""Different texts of a chunk, at most, that are kept once each."""
_LONGEST = 1 << 28
"""Characters of a chunk of texts, at most, so that Arrow can count its bytes."""
_TYPES: dict[type, str] = {str: "string", int: "int64", float: "float64", bool: "bool_"}


class _Coded(NamedTuple):
    """Cells of which few are different: those, and the number of each cell's."""

    values: list[Any]
    codes: npt.NDArray[np.uint8]


_Chunk: TypeAlias = "pa.Array | _Coded | list[Any]"


class PackedCells(Sequence[Any]):
    """The cells of a column, which cannot be changed; they come out as they were put in.

    Made by `pack`.

    Args:
        chunks: the cells, one chunk behind the other.
    """

    def __init__(self, chunks: Sequence[_Chunk]) -> None:
        self._chunks = chunks
        self._ends = np.cumsum([_count(chunk) for chunk in chunks]).tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Any]:
        for chunk in self.chunks():
            yield from chunk

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"found {index}, expected a number below {len(self)}")
        number = bisect_right(self._ends, place)
        chunk, inside = self._chunks[number], place - (self._ends[number - 1] if number else 0)
        if isinstance(chunk, _Coded):
            return chunk.values[chunk.codes[inside]]
        return chunk[inside] if isinstance(chunk, list) else chunk[inside].as_py()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == len(self) and all(map(_equals, self, other))

    __hash__ = None  # type: ignore[assignment]

    def chunks(self) -> Iterator[list[Any]]:
        """Return the cells, some ten thousand at a time."""
        return map(_unpack, self._chunks)

    def take(self, indices: npt.NDArray[np.int64]) -> "PackedCells":
        """Return some of the cells, in the order of their numbers."""
        if (np.diff(indices) <= 0).any():
            return PackedCells(list(_pack_all(self[place] for place in indices.tolist())))
        # Each chunk gives those that are its own.
        bounds = np.searchsorted(indices, [0, *self._ends])
        parts = zip(self._chunks, [0, *self._ends], bounds[:-1].tolist(), bounds[1:].tolist(), strict=False)
        return PackedCells(
            [_take(chunk, indices[first:last] - start) for chunk, start, first, last in parts if first < last]
        )


class MappedCells(Sequence[Any]):
    """Cells that follow from those of other columns, and are computed whenever they are read.

    Args:
        function: returns a cell from the cells of a row.
        columns: the other columns, one at least.
    """

    def __init__(self, function: Callable[..., Any], columns: Sequence[Sequence[Any]]) -> None:
        self.function, self.columns = function, columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Any]:
        return map(self.function, *self.columns)

    def __getitem__(self, index: Any) -> Any:
        found = (column[index] for column in self.columns)
        return MappedCells(self.function, [*found]) if isinstance(index, slice) else self.function(*found)

    def take(self, indices: npt.NDArray[np.int64]) -> "MappedCells":
        """Return some of the cells, in the order of their numbers."""
        return MappedCells(self.function, [take(column, indices) for column in self.columns])


class RowPacker:
    """Collects rows, one after the other, and packs their columns where there are many.

    Args:
        width: cells of a row.
    """

    def __init__(self, width: int) -> None:
        self.count = 0
        self._rows: list[Sequence[Any]] = []
        self._chunks: list[list[_Chunk]] = [[] for _ in range(width)]

    def add(self, cells: Sequence[Any]) -> None:
        """Add a row at the end."""
        self.count += 1
        self._rows.append(cells)
        if len(self._rows) >= max(CHUNK, MANY):
            self._flush()

    def columns(self) -> list[Sequence[Any]]:
        """Return the columns."""
        if not are_many(self.count):
            return [[row[place] for row in self._rows] for place in range(len(self._chunks))]
        self._flush()
        return [PackedCells(chunks) for chunks in self._chunks]

    def _flush(self) -> None:
        for chunks, cells in zip(self._chunks, zip(*self._rows, strict=True), strict=False):
            chunks.extend(_pack_all(cells))
        self._rows.clear()


def are_many(count: int) -> bool:
    """Whether columns of so many cells are packed."""
    return count >= MANY


def pack(cells: Iterable[Any], count: int) -> Sequence[Any]:
    """Return cells as a column: packed where there are many, else as a list.

    Args:
        cells: the cells; they are read one after the other.
        count: how many there are.
    """
    return list(cells) if not are_many(count) else PackedCells(list(_pack_all(cells)))


def pack_parts(parts: Iterable[Sequence[Any]]) -> PackedCells:
    """Return a packed column of cells that come in parts."""
    return PackedCells([_pack(list(part)) for part in parts if len(part)])


def join(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return the cells of several columns, one behind the other."""
    packed = [part for part in parts if isinstance(part, PackedCells)]
    if len(packed) == len(parts):
        return PackedCells([chunk for part in packed for chunk in part._chunks])
    mapped = [part for part in parts if isinstance(part, MappedCells)]
    if len(mapped) == len(parts):
        columns = zip(*(part.columns for part in mapped), strict=True)
        return MappedCells(mapped[0].function, [join(column) for column in columns])
    return pack((cell for part in parts for cell in part), sum(map(len, parts)))


def take(cells: Sequence[Any], indices: npt.NDArray[np.int64]) -> Sequence[Any]:
    """Return some cells of a column, in the order of their numbers."""
    if isinstance(cells, PackedCells | MappedCells):
        return cells.take(indices)
    if isinstance(cells, range) and are_many(len(indices)):
        import pyarrow as pa

        return PackedCells([pa.array(np.arange(cells.start, cells.stop, cells.step)[indices])])
    return pack((cells[place] for place in indices.tolist()), len(indices))


def share(cells: Sequence[Any], others: Sequence[Any]) -> Sequence[Any]:
    """Return a column that has its memory in common with another one wherever both hold the same, bit for bit."""
    if not (isinstance(cells, PackedCells) and isinstance(others, PackedCells) and cells._ends == others._ends):
        return cells
    both = zip(cells._chunks, others._chunks, strict=True)
    return PackedCells([other if _is_same(one, other) else one for one, other in both])


def _is_same(one: _Chunk, other: _Chunk) -> bool:
    if isinstance(one, _Coded | list) or isinstance(other, _Coded | list) or one.type != other.type:
        return False
    if one.offset or other.offset:
        return False
    buffers = zip(one.buffers(), other.buffers(), strict=True)
    return all(first is second is None or (first and second and first.equals(second)) for first, second in buffers)


def give_back() -> None:
    """Give the system back what Arrow holds of memory that is free again."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def to_arrow(cells: Sequence[Any], of_type: "pa.DataType") -> "list[pa.Array]":
    """Return a column as Arrow has it, in one array or several."""
    import pyarrow as pa

    if not isinstance(cells, PackedCells):
        return [pa.array(cells, of_type)]
    return [
        chunk if isinstance(chunk, pa.Array) and chunk.type == of_type else pa.array(_unpack(chunk), of_type)
        for chunk in cells._chunks
    ]


def find(kept: Iterable[bool], count: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows of which something is true.

    Args:
        kept: whether it is true of each row; they are read one after the other.
        count: how many rows there are.
    """
    return np.flatnonzero(np.fromiter(kept, dtype=np.bool_, count=count))


def _pack_all(cells: Iterable[Any]) -> Iterator[_Chunk]:
    iterator = iter(cells)
    while chunk := list(islice(iterator, CHUNK)):
        yield _pack(chunk)


def _pack(cells: list[Any]) -> _Chunk:
    """Return cells in the smallest form from which they come out as they are."""
    kinds = {*map(type, cells)} - {type(None)}
    if kinds <= {str}:
        values = {*islice(cells, 2 * _FEW)}
        if len(values) <= _FEW and len(values := {*cells}) <= _FEW:
            numbers = {value: number for number, value in enumerate(values)}
            codes = np.fromiter(map(numbers.__getitem__, cells), dtype=np.uint8, count=len(cells))
            return _Coded(list(values), codes)
        if sum(len(cell) for cell in cells if cell is not None) > _LONGEST:
            return cells
    if len(kinds) != 1 or (of_type := _TYPES.get(next(iter(kinds)))) is None:
        return cells
    import pyarrow as pa

    try:
        return pa.array(cells, getattr(pa, of_type)())
    except (OverflowError, UnicodeEncodeError, pa.ArrowInvalid):  # what no file of Arrow holds
        return cells


def _unpack(chunk: _Chunk) -> list[Any]:
    if isinstance(chunk, _Coded):
        return list(map(chunk.values.__getitem__, chunk.codes.tolist()))
    if isinstance(chunk, list):
        return chunk
    import pyarrow as pa

    if pa.types.is_string(chunk.type) or not chunk.null_count:
        return chunk.to_numpy(zero_copy_only=False).tolist()
    return chunk.to_pylist()


def _take(chunk: _Chunk, indices: npt.NDArray[np.int64]) -> _Chunk:
    if len(indices) == _count(chunk):
        return chunk
    if isinstance(chunk, _Coded):
        return _Coded(chunk.values, chunk.codes[indices])
    if isinstance(chunk, list):
        return [chunk[place] for place in indices.tolist()]
    import pyarrow as pa

    return chunk.take(pa.array(indices))


def _count(chunk: _Chunk) -> int:
    return len(chunk.codes) if isinstance(chunk, _Coded) else len(chunk)


def _equals(one: Any, other: Any) -> bool:
    return one is other or one == other
