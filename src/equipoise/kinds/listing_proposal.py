"""What kinds that find words in a text share of their suggestions: their own readers decide what is a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .labels import LabelError
from .listing_task import ListingTask
from .suggestions import LabelColumn, open_task


@dataclass(frozen=True)
class Listed:
    """The labels of a column, read by a kind.

    Args:
        parsed: the label of each filled cell.
        found: how many cells have all their words in the text.
        missing: how many have some that do not stand there.
        items: how many items their lists hold.
    """

    parsed: Sequence[Any]
    found: int
    missing: int
    items: int

    @property
    def keys(self) -> dict[str, Any]:
        """The keys of the run file that the labels need."""
        return {"missing_terms": "skip"} if self.missing else {}

    @property
    def remark(self) -> str:
        """What a comment says of words that do not stand in their text; "" where all do."""
        if not self.missing:
            return ""
        return f"; of {self.found + self.missing} rows {self.missing} have words that do not stand in the text"


def read_listed(kind: type[ListingTask], column: LabelColumn) -> Listed | None:
    """Read a column as labels of a kind; None where a cell is none, or nothing could be learnt from them."""
    strict = open_task(kind, column)
    lenient = open_task(kind, column, missing_terms="skip")
    parsed, placed, missing = [], [], 0
    for cell, text in zip(column.cells, column.texts, strict=True):
        if cell is None or not text:
            continue
        try:
            parsed.append(strict.parse(cell))
            try:
                placed.append(strict.locate(parsed[-1], text))
            except LabelError:
                placed.append(lenient.locate(parsed[-1], text))
                missing += 1
        except LabelError:
            return None
    try:
        lenient.fit(placed)
    except LabelError:
        return None
    return Listed(parsed, len(placed) - missing, missing, sum(map(len, placed)))
