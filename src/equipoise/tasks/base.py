"""What every task kind shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


class LabelError(ValueError):
    """A cell is no label of its task; the message says what was found and what was expected."""


class View(NamedTuple):
    """What a task reads: tasks with the same view share rows, and each row is encoded once."""

    source: str
    text: str
    pair: str | None


@dataclass(frozen=True)
class Task(ABC):
    """One task: what it reads, what it predicts, and by which metric it is judged.

    A task starts *open*, as the run file states it; `fit` returns it with its label space resolved on
    the training split. The resolved task travels with the model.

    Args:
        name: the task's name in the run file, tables and predictions.
        source: the source its rows come from.
        text: column of the text.
        pair: column of the second text (a target, an aspect), or None.
        label: column of the label.
        metric: the primary metric.
        auxiliary: it is trained to help the others, and never scored.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """The metrics every table shows for this kind; the first is the default primary metric."""

    name: str
    source: str
    text: str
    pair: str | None
    label: str
    metric: str
    auxiliary: bool = field(default=False, kw_only=True)

    @property
    def view(self) -> View:
        """The source and columns this task reads."""
        return View(self.source, self.text, self.pair)

    @abstractmethod
    def parse(self, cell: Any) -> float | int | str:
        """Read one label cell.

        Raises:
            LabelError: the cell is no label of this task.
        """

    @abstractmethod
    def fit(self, labels: Sequence[Any]) -> Self:
        """Return this task with its label space resolved on the parsed training labels.

        Raises:
            LabelError: the labels cannot be learnt from (one class only, no variance).
        """

    @abstractmethod
    def encode(self, label: Any) -> float | int:
        """Turn a parsed label into what the table stores (class index; score in the user's units).

        Raises:
            LabelError: the label is not in the label space found on train.
        """

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain JSON data; `task_from_dict` reads it back."""
        return {"kind": self.kind, **asdict(self)}


def parse_number(cell: Any) -> float:
    """Read a finite number from a cell.

    Raises:
        LabelError: the cell is empty, no number, NaN or infinite, or too large for the model's 32 bits.
    """
    try:
        number = float(cell)
    except (TypeError, ValueError):
        raise LabelError(f"found {show(cell)}, expected a number") from None
    except OverflowError:
        number = math.inf
    if isinstance(cell, bool) or not abs(number) <= _LARGEST:
        raise LabelError(f"found {show(cell)}, expected a finite number (up to ±3.4e38)")
    return number


def show(cell: Any) -> str:
    """Write a cell for a message, cut where it is long."""
    return "an empty cell" if cell is None else shorten(repr(cell), 60)


def quote(words: Sequence[str], most: int = 20) -> str:
    """Join words for a message, the first 20 of many."""
    listed = ", ".join(f"'{shorten(word, 60)}'" for word in words[:most])
    return listed if len(words) <= most else f"{listed} and {len(words) - most} more"


def shorten(text: str, width: int) -> str:
    """Cut a text where it is longer than a width."""
    return text if len(text) <= width else text[: width - 1] + "…"
