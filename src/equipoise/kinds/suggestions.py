"""What a kind can say of a file that it has not seen: which columns may be labels of its kind, and with which keys."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from equipoise.keys import is_number, name_key, normalize, tidy

from .labels import LabelError, order_names, parse_number
from .task import Task

MOST_CLASSES = 50
"""Different names that a column of classes has, at most."""
_PARTS = re.compile(r"[^\W\d_]+|\d+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class LabelColumn:
    """What is known of a column that may hold labels.

    Args:
        name: its name; of nested columns `a.b`.
        cells: the cells of some rows, None where empty; numbers with a decimal comma are read as numbers.
        texts: the texts of the same rows, None where empty.
        counts: how often each filled cell is found in all rows, as text; None where there are too many different ones.
        low: the lowest number in all rows; None where a cell is no number.
        high: the highest.
        complete: whether `counts`, `low` and `high` are of all rows of the files, not of a part of them.
    """

    name: str
    cells: Sequence[Any]
    texts: Sequence[str | None]
    counts: Mapping[str, int] | None = None
    low: float | None = None
    high: float | None = None
    complete: bool = True

    @cached_property
    def filled(self) -> list[Any]:
        """The cells that hold something."""
        return [cell for cell in self.cells if cell is not None]

    @cached_property
    def numbers(self) -> list[float] | None:
        """The cells as numbers; None where there is none, or one is something else."""
        try:
            found = [parse_number(cell) for cell in self.filled]
        except LabelError:
            return None
        return None if self.low is None or self.high is None else found or None

    @cached_property
    def whole_numbers(self) -> list[int] | None:
        """The different whole numbers in all rows, ascending; None where there are other cells, or many numbers."""
        if self.numbers is None or self.counts is None or not all(map(float.is_integer, self.numbers)):
            return None
        values = {parse_number(cell) for cell in self.counts}
        return sorted(map(int, values)) if all(map(float.is_integer, values)) else None

    @cached_property
    def names(self) -> dict[str, int] | None:
        """The different names in all rows in order, each as it is mostly spelled, with counts; None where many."""
        if self.counts is None or not all(isinstance(cell, str | int | float) for cell in self.filled):
            return None
        spelled: dict[str, dict[str, int]] = {}
        for spelling, count in self.counts.items():
            spelled.setdefault(name_key(spelling), {})[spelling] = count
        named = {_show_name(key, forms): sum(forms.values()) for key, forms in spelled.items() if key}
        return {name: named[name] for name in order_names(named)}

    @cached_property
    def is_flag(self) -> bool:
        """Whether its cells say yes or no, as 0 and 1 or false and true do, both of them, and none is empty."""
        if self.counts is None or not self.filled:
            return False
        words = {name_key(word).lower() for word in self.counts}
        return words in ({"0", "1"}, {"false", "true"}) and None not in self.cells

    def is_called(self, words: Iterable[str]) -> bool:
        """Whether its name, or for nested columns the last part of it, holds one of some words, or its plural."""
        return not words_of(self.name.rpartition(".")[2]).isdisjoint(words)

    @property
    def share_different(self) -> float:
        """The share of filled cells that differ from all others, by text."""
        return len({str(cell) for cell in self.filled}) / max(1, len(self.filled))

    @property
    def mean_words(self) -> float:
        """How many words a filled cell has on average."""
        return sum(len(str(cell).split()) for cell in self.filled) / max(1, len(self.filled))


@dataclass(frozen=True)
class Suggestion:
    """What a kind suggests for a column, or for several that belong together.

    Args:
        columns: the columns.
        keys: the kind's own keys of the run file, in their order; and `label`, where it is not the one column.
        fit: how sure it is, from 0 to 1; from 0.5 on the task is proposed, below it is an alternative.
        why: a few words that say what was found.
        needs: what a run needs beyond the run file that is proposed, such as a language model; then it stays an
            alternative. "" for nothing.
        reads_places: whether labels count the characters of a text, which therefore may not be changed.
    """

    columns: tuple[str, ...]
    keys: Mapping[str, Any] = field(default_factory=dict)
    fit: float = 0.5
    why: str = ""
    needs: str = ""
    reads_places: bool = False


def words_of(name: str) -> set[str]:
    """Return the words of a column's name in small letters, and each without the s of a plural."""
    words = {word.lower() for word in _PARTS.findall(_HUMPS.sub(" ", normalize(name)))}
    return words | {word.removesuffix("s") for word in words if len(word) > 3}


def reads_all(task: Task, column: LabelColumn) -> bool:
    """Whether a task can read every filled cell of a column."""
    return count_unread(task, column) == 0


def count_unread(task: Task, column: LabelColumn) -> int:
    """Return how many filled cells of a column a task cannot read."""
    unread = 0
    for cell in column.filled:
        try:
            task.parse(cell)
        except LabelError:
            unread += 1
    return unread


def find_places(task: Task, column: LabelColumn) -> tuple[int, int]:
    """Return how many labels a task finds in their texts, and how many it does not."""
    found = missing = 0
    for cell, text in zip(column.cells, column.texts, strict=True):
        if cell is not None and text:
            try:
                found += bool(task.locate(task.parse(cell), text))
            except LabelError:
                missing += 1
    return found, missing


def open_task(kind: type[Task], column: LabelColumn, **fields: Any) -> Task:
    """Return an open task of a column, to read its cells with."""
    return kind("proposed", "source", "text", None, column.name, kind.primary_metrics[0], **fields)


def list_classes(column: LabelColumn) -> dict[str, Any]:
    """Return the key `classes` for the names of a column; nothing where not all rows were read."""
    return {"classes": list(column.names)} if column.names and column.complete else {}


def say_some(names: Iterable[str], most: int = 4) -> str:
    """Name the first of some names, for a comment."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _show_name(key: str, forms: Mapping[str, int]) -> str:
    """Return how a name is shown: as it is mostly spelled; numbers by their key, 1.0 beside 1 as 1."""
    if len(forms) > 1 and is_number(key):
        return key
    return tidy(max(forms, key=lambda form: (forms[form], form))) or key
