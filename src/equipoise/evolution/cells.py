"""The cells of a search: what is computed once, and is a line of its journal when it is finished."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from equipoise.reporting import RowKind


class CellKind(StrEnum):
    """What a cell is."""

    WEAK = "weak"
    SEARCH = "search"
    ROW = "row"
    EXPERT = "expert"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Args:
        kind: what it is.
        name: of which search, row or expert.
    """

    kind: CellKind
    name: str = ""

    @property
    def key(self) -> str:
        """What the journal calls it."""
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


WEAK = Cell(CellKind.WEAK)


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        kind: what it is.
        subject: "base", "experts" or "joint"; a baseline; the stage of an evolved row.
        demonstrations: whether examples stand before each question.
    """

    kind: RowKind
    subject: str
    demonstrations: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        name = f"evolved:{self.subject}" if self.kind is RowKind.EVOLVED else self.subject
        return f"{name} + demonstrations" if self.demonstrations else name

    @property
    def cell(self) -> Cell:
        """Its cell."""
        return Cell(CellKind.ROW, self.name)


BASE, EXPERTS, JOINT = (Row(RowKind.REFERENCE, name) for name in ("base", "experts", "joint"))
BASE_SHOWN = Row(RowKind.REFERENCE, "base", demonstrations=True)


def list_rows(baselines: Iterable[str], stages: Iterable[str]) -> list[Row]:
    """List the rows that a table may have, in its order.

    Args:
        baselines: the names of the baselines.
        stages: the stages of the evolved rows.
    """
    evolved = [Row(RowKind.EVOLVED, stage, shown) for stage in stages for shown in (False, True)]
    return [BASE, BASE_SHOWN, EXPERTS, JOINT, *(Row(RowKind.BASELINE, name) for name in baselines), *evolved]
