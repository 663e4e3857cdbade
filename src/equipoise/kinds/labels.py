"""Reading label cells, and showing them in messages."""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from equipoise.keys import is_blank, is_number, normalize

_LARGEST = float(np.finfo(np.float32).max)


class LabelError(ValueError):
    """A cell is no label of its task; the message says what was found and what was expected.

    Args:
        message: the message, without a full stop.
        hint: what to do, a sentence; "" for what holds for all labels: to correct the cells, or to leave them empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def list_names_hint(key: str = "classes") -> str:
    """Return what to do where a label names a class, or another name, that is not known.

    Args:
        key: the key of the run file that lists the classes.
    """
    return f"Correct the cells, or list every name in the run file ({key})."


def parse_number(cell: Any) -> float:
    """Read a finite number from a cell: a number, or a text of figures (full-width ones, too).

    Raises:
        LabelError: the cell is empty, no number, NaN or infinite, or too large for the model's 32 bits.
    """
    figures = normalize(cell) if isinstance(cell, str) else cell
    # `float` would also read "1_0" and "infinity", and bytes.
    if isinstance(figures, bytes) or (isinstance(figures, str) and not is_number(figures)):
        raise LabelError(f"found {show(cell)}, expected a number")
    try:
        number = float(figures)
    except (TypeError, ValueError):
        raise LabelError(f"found {show(cell)}, expected a number") from None
    except OverflowError:
        number = math.inf
    if isinstance(cell, bool) or not abs(number) <= _LARGEST:
        raise LabelError(f"found {show(cell)}, expected a finite number (up to ±3.4e38)")
    return number


_LONGEST_NAME = 1000


def parse_name(cell: Any) -> str:
    """Read the name of a class from a cell, as it is spelled there.

    Raises:
        LabelError: the cell is empty, no finite number, or bytes that are no text.
    """
    if cell is None or isinstance(cell, bytes) or (isinstance(cell, float) and not math.isfinite(cell)):
        raise LabelError(f"found {show(cell)}, expected a class")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    name = str(cell).strip()
    if is_blank(name):
        raise LabelError("found an empty label, expected a class")
    if len(name) > _LONGEST_NAME:
        raise LabelError(
            f"found a class of {len(name):,} characters, expected {_LONGEST_NAME:,} at most; is it a text?"
        )
    return name


def order_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names of classes, numbers by value."""
    return tuple(sorted(names, key=_by_value))


def _by_value(name: str) -> tuple[int, float, str]:
    figures = normalize(name)
    return (0, float(figures), name) if is_number(figures) else (1, 0.0, name)


def as_text(cell: Any) -> Any:
    """Write a number as text; other cells stay as they are."""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell
    return str(cell) if is_number else cell


def show(cell: Any) -> str:
    """Write a cell for a message, cut where it is long."""
    return "an empty cell" if cell is None else shorten(repr(cell), 60)


def quote(words: Sequence[str], most: int = 20) -> str:
    """Join words for a message, the first 20 of many, fewer if they are long."""
    shown = [f"'{shorten(word, 60)}'" for word in words[:most]]
    while sum(map(len, shown)) > 200:
        shown.pop()
    listed = ", ".join(shown)
    return listed if len(words) == len(shown) else f"{listed} and {len(words) - len(shown)} more"


def shorten(text: str, width: int) -> str:
    """Cut a text where it is longer than a width."""
    return text if len(text) <= width else text[: width - 1] + "…"


def find_class_problem(
    classes: Sequence[str], least: int, thresholds: Sequence[float], expected: Collection[int]
) -> str:
    """Say what is wrong with the classes of a task read from a file, or with their thresholds; "" if nothing is.

    Args:
        classes: the classes, at least so many different ones.
        least: how many classes at least.
        thresholds: the thresholds.
        expected: how many thresholds there may be, the usual number last.
    """
    count = len(classes)
    if count < least or len(set(classes)) < count:
        return f"classes: found {count} different names, expected {least} or more"
    if len(thresholds) not in expected or not all(map(math.isfinite, thresholds)):
        return f"thresholds: found {len(thresholds)}, expected {list(expected)[-1]}"
    return ""
