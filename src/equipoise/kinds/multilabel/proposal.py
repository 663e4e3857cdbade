"""What multilabel suggests for columns: lists of labels, labels with a separator between them, columns of 0 and 1."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from equipoise.keys import is_number

from ..labels import LabelError
from ..suggestions import LabelColumn, Suggestion, open_task, reads_all, say_some
from .task import Multilabel

_CALLED = ("labels", "emotion", "tag", "genre", "topic", "category", "categorie", "flag", "aspect", "theme", "keyword")
_SEPARATORS = (",", ";", "|", "/", "+", "\t")
_MOST_LABELS = 100
_MOST_WORDS = 3
_LEAST_JOINED = 0.05
"""The share of filled cells with a separator from which on it is taken for one."""
_ENDS_OF_NUMBERS = re.compile(r"[^\w\s]*\s?\d*\s?[^\w\s]?")


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest labels where cells hold several, or several columns say yes or no."""
    found = [_by_lists(column) or _by_separator(column) for column in columns]
    return [*_by_flags(columns), *(suggestion for suggestion in found if suggestion is not None)]


def _by_lists(column: LabelColumn) -> Suggestion | None:
    """Suggest labels for cells that are lists, or lists that are written as text."""
    cells = column.filled
    listed = [cell for cell in cells if isinstance(cell, list) or (isinstance(cell, str) and cell.strip()[:1] in "[({")]
    if not cells or len(listed) < len(cells):
        return None
    labels = _read(open_task(Multilabel, column), cells)
    if labels is None or not _are_usable(labels):
        return None
    different = {name for names in labels for name in names}
    return Suggestion((column.name,), {}, 0.96, f"lists of {len(different)} labels: {say_some(sorted(different))}")


def _by_separator(column: LabelColumn) -> Suggestion | None:
    """Suggest labels for texts with a separator between short names that repeat."""
    cells = column.filled
    if not cells or not all(isinstance(cell, str) for cell in cells) or all(map(is_number, cells)):
        return None
    for separator in _SEPARATORS:
        joined = [cell for cell in cells if separator in cell.strip()]
        if len(joined) < max(2, _LEAST_JOINED * len(cells)):
            continue
        task = open_task(Multilabel, column, separator=separator)
        labels = _read(task, cells)
        if labels is None or not _are_usable(labels) or not reads_all(task, column):
            continue
        different = {name for names in labels for name in names}
        if separator == "," and all(map(_ENDS_OF_NUMBERS.fullmatch, different)):
            continue  # numbers with a decimal comma, perhaps with a unit
        keys = {} if separator == "," else {"separator": separator}
        # Slashes and plus signs also stand inside names.
        fit = (0.35 if separator in "/+" else 0.88) + 0.1 * column.is_called(_CALLED)
        why = f"{len(different)} labels with {_name(separator)} between them: {say_some(sorted(different))}"
        return Suggestion((column.name,), keys, fit, why)
    return None


def _by_flags(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest one task for the columns that say yes or no of a label each."""
    flags = [column.name for column in columns if column.is_flag]
    if len(flags) < 2:
        return []
    fit = 0.96 if len(flags) > 2 else 0.4
    return [Suggestion(tuple(flags), {"label": flags}, fit, f"{len(flags)} columns of 0 and 1, a label each")]


def _read(task: Any, cells: Iterable[Any]) -> list[tuple[str, ...]] | None:
    try:
        return [task.parse(cell) for cell in cells]
    except LabelError:
        return None


def _are_usable(labels: Sequence[tuple[str, ...]]) -> bool:
    """Whether labels are short names that repeat, each of which applies to some rows and not to others."""
    counts = Counter(name for names in labels for name in names)
    if not counts or len(counts) > _MOST_LABELS or max(counts.values()) == len(labels):
        return False
    words = sum(len(name.split()) for name in counts) / len(counts)
    return words <= _MOST_WORDS and sum(counts.values()) >= 2 * len(counts) and max(map(len, labels)) > 1


def _name(separator: str) -> str:
    return {",": "commas", ";": "semicolons", "|": "bars (|)", "/": "slashes", "+": "plus signs"}.get(separator, "tabs")
