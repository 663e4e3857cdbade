"""Rows that remember where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .cells import join, take


class Origin(NamedTuple):
    """The file a row comes from, and what its number counts there."""

    file: str
    unit: str


class Place(NamedTuple):
    """Where a row stands: its file, what is counted there ("line" or "row"), and its number."""

    file: str
    unit: str
    number: int


class EmptyText(NamedTuple):
    """A row with a label that is not learned, because the text that its task reads is empty.

    Args:
        place: where the row stands.
        label: what the label is, for messages.
        is_left_out: whether no other label is on the row.
    """

    place: Place
    label: str
    is_left_out: bool


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read.

    Args:
        cells: what could be read of it: cells by column, or a text.
        problem: what is wrong with it: "found …, expected …".
    """

    cells: Mapping[str, Any] | str
    problem: str


@dataclass(frozen=True)
class Rows:
    """Rows of one file, or of several that are joined, column by column.

    Args:
        file: what messages call the file, or the files.
        numbers: where each row stands in its file, from 1.
        columns: the cells of each column, None where a row has none; of many rows they are packed (see `cells`).
        unit: what `numbers` count: "line" (CSV, TSV, JSONL) or "row" (the others).
        origins: of several files, the one each row comes from.
    """

    file: str
    numbers: Sequence[int]
    columns: dict[str, Sequence[Any]]
    unit: str = "row"
    origins: Sequence[Origin] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def place(self, index: int) -> Place:
        """Return the file of a row and the place in it."""
        file, unit = (self.file, self.unit) if self.origins is None else self.origins[index]
        return Place(file, unit, self.numbers[index])

    def where(self, index: int) -> str:
        """Name the file and the place of a row in it."""
        file, unit, number = self.place(index)
        return f"{file}, {unit} {number}"

    def take(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> "Rows":
        """Return some of the rows, in the order of `indices`."""
        places = np.asarray(indices, dtype=np.int64)
        columns = {name: take(cells, places) for name, cells in self.columns.items()}
        origins = None if self.origins is None else [self.origins[i] for i in places.tolist()]
        return Rows(self.file, take(self.numbers, places), columns, self.unit, origins)


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Return the rows of files that have the same columns, one after the other; each keeps its file and number."""
    if len(parts) == 1:
        return parts[0]
    more = f" and {len(parts) - 2} more" if len(parts) > 2 else ""
    return Rows(
        (", " if more else " and ").join(part.file for part in parts[:2]) + more,
        join([part.numbers for part in parts]),
        {name: join([part.columns[name] for part in parts]) for name in parts[0].columns},
        origins=[origin for part in parts for origin in [Origin(part.file, part.unit)] * len(part)],
    )
