"""What is known of a table after one pass over its rows, in bounded memory: counts, and a sample of the rows."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.keys import is_blank, is_number, normalize

SAMPLE = 2000
"""Rows that are kept of a table."""
MOST_DIFFERENT = 1000
"""Different cells of a column that are counted."""
_LONGEST_NAME = 200
"""Characters of a cell that is counted, at most: names of classes are short."""
_MOST_COLUMNS = 500
_DEEPEST = 6
"""Levels of nested objects that become columns."""
MISSING = {
    *("n/a", "na", "#n/a", "#na", "null", "nil", "-", "--", "---", "?", ".", "nan", "<na>", "(null)", "#value!"),
    *("n.a.", "n. a.", "k.a.", "k. a.", "keine angabe", "keine angaben", "ohne angabe", "#nv", "n/d", "n.d.", "s/d"),
}
"""What files write where there is no value, in small letters: also in German, French, Italian and Spanish."""
MAYBE_MISSING = {"none", "unknown", "missing", "not available", "no data", "unbekannt", "inconnu", "desconocido"}
"""What may mean so, and may be a class."""
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_MOST_ODD = 0.05
"""The share of words in a column of numbers with decimals that are taken for missing values, at most."""
_MOST_ODD_WORDS = 3
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8}\d?);")
_TAG = re.compile(r"</?(?:br|p|b|i|u|a|em|strong|div|span|ul|ol|li|font|hr|img|h[1-6])\b[^<>]*>", re.IGNORECASE)


@dataclass
class ColumnFacts:
    """What is known of one column.

    Attributes:
        name: its name.
        filled: how many rows have a cell that is not empty.
        counts: how often each cell occurs in all rows, as text; None where there are too many, or lists.
        numbers: how many cells are numbers, also as text.
        commas: how many cells are numbers with a decimal comma.
        points: how many are text with a decimal point.
        low, high: the lowest and the highest of the numbers, None where there is none.
        comma_low, comma_high: the same of those with a decimal comma.
        lists: how many cells are lists.
        missing: how often words, or blanks, are found that mean that there is no value.
        entities: how many cells have HTML's entities or tags, and the first of these.
        characters: of all cells together.
    """

    name: str
    filled: int = 0
    counts: Counter[str] | None = field(default_factory=Counter)
    numbers: int = 0
    commas: int = 0
    points: int = 0
    low: float | None = None
    high: float | None = None
    comma_low: float | None = None
    comma_high: float | None = None
    lists: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    entities: int = 0
    entity: str = ""
    characters: int = 0

    def add(self, cell: Any) -> None:
        """Count one cell; empty ones are passed over."""
        if cell is None:
            return
        if cell != cell:  # only NaN is not itself
            self.filled += 1
            self.missing["nan"] += 1
            return
        if isinstance(cell, list | dict):
            self.filled += 1
            self.lists += 1
            self.counts = None
            return
        text = cell if isinstance(cell, str) else str(cell)
        if not text:
            return
        self.filled += 1
        if is_blank(text):
            self.missing[text] += 1
            return
        self.characters += len(text)
        if self.counts is not None:
            if len(text) > _LONGEST_NAME or (len(self.counts) >= MOST_DIFFERENT and text not in self.counts):
                self.counts = None
            else:
                self.counts[text] += 1
        if not isinstance(cell, str):
            if isinstance(cell, int | float) and not isinstance(cell, bool):
                self._add_number(float(cell))
        elif len(text) < 40:
            self._add_short(text)
        if "&" in text or "<" in text:
            self._add_markup(text)

    def _add_short(self, text: str) -> None:
        word = normalize(text)
        if is_number(word):
            self._add_number(float(word))
            self.points += "." in word
        elif _COMMA.fullmatch(word):
            number = read_comma(word)
            self.commas += 1
            self.comma_low = number if self.comma_low is None else min(self.comma_low, number)
            self.comma_high = number if self.comma_high is None else max(self.comma_high, number)
        elif word.lower() in MISSING or word.lower() in MAYBE_MISSING:
            self.missing[text] += 1

    def _add_number(self, number: float) -> None:
        self.numbers += 1
        self.low = number if self.low is None else min(self.low, number)
        self.high = number if self.high is None else max(self.high, number)

    def _add_markup(self, text: str) -> None:
        found = _ENTITY.search(text) or _TAG.search(text)
        if found is not None:
            self.entities += 1
            self.entity = self.entity or found.group()[:40]

    @property
    def sure_missing(self) -> dict[str, int]:
        """The words that surely mean that there is no value, as they are spelled, with counts."""
        return {word: count for word, count in self.missing.items() if normalize(word).lower() in {"", *MISSING}}

    @property
    def odd(self) -> Counter[str]:
        """The few words in a column of numbers with decimals, such as `k.A.`, which seem to mean that there is none."""
        others = self.filled - self.numbers - self.commas - self.missing.total()
        if self.counts is None or not (self.commas or self.points) or not 0 < others <= _MOST_ODD * self.filled:
            return Counter()
        words = {word: count for word, count in self.counts.items() if not _is_any_number(word)}
        found = Counter({word: count for word, count in words.items() if word not in self.missing})
        return found if found.total() == others and len(found) <= _MOST_ODD_WORDS else Counter()

    @property
    def is_numeric(self) -> bool:
        """Whether all cells that hold a value are numbers, perhaps with a decimal comma."""
        found = self.numbers + self.commas
        return found > 0 and found + self.missing.total() + self.odd.total() == self.filled

    @property
    def different(self) -> int:
        """How many different cells there are; one more than are counted where there are more."""
        return MOST_DIFFERENT + 1 if self.counts is None else len(self.counts)


@dataclass
class TableFacts:
    """What is known of the rows of a file, of several, or of a table in memory.

    Attributes:
        columns: by name; nested columns are called `a.b`.
        sample: some rows, evenly drawn from all that were read.
        rows: how many were read.
        left_out: how many columns there are beyond those that were looked at.
    """

    columns: dict[str, ColumnFacts] = field(default_factory=dict)
    sample: list[Mapping[str, Any]] = field(default_factory=list)
    rows: int = 0
    left_out: int = 0

    def cells(self, column: str) -> list[Any]:
        """Return the cells of a column in the sampled rows, None where they are empty."""
        return [row.get(column) for row in self.sample]


def join(parts: Sequence[TableFacts]) -> TableFacts:
    """Return what is known of several tables together; of the sample each has its share."""
    if len(parts) == 1:
        return parts[0]
    rows = sum(part.rows for part in parts)
    joined = TableFacts(rows=rows, left_out=max(part.left_out for part in parts))
    for part in parts:
        for name, column in part.columns.items():
            other = joined.columns.get(name)
            joined.columns[name] = column if other is None else _join_columns(other, column)
        joined.sample += part.sample[: max(1, round(SAMPLE * part.rows / max(1, rows)))]
    return joined


def _join_columns(one: ColumnFacts, other: ColumnFacts) -> ColumnFacts:
    counts = None if one.counts is None or other.counts is None else one.counts + other.counts
    return ColumnFacts(
        one.name,
        one.filled + other.filled,
        None if counts is None or len(counts) > MOST_DIFFERENT else counts,
        one.numbers + other.numbers,
        one.commas + other.commas,
        one.points + other.points,
        _first(min, one.low, other.low),
        _first(max, one.high, other.high),
        _first(min, one.comma_low, other.comma_low),
        _first(max, one.comma_high, other.comma_high),
        one.lists + other.lists,
        one.missing + other.missing,
        one.entities + other.entities,
        one.entity or other.entity,
        one.characters + other.characters,
    )


def _first(choose: Any, one: float | None, other: float | None) -> float | None:
    found = [number for number in (one, other) if number is not None]
    return choose(found) if found else None


def gather(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> TableFacts:
    """Read rows once, and return what is known of them.

    Args:
        rows: cells by column.
        columns: the columns in order, where the rows do not say.
    """
    facts = TableFacts({name: ColumnFacts(name) for name in columns[:_MOST_COLUMNS]})
    facts.left_out = max(0, len(columns) - _MOST_COLUMNS)
    draw = random.Random(0)  # the same sample every time
    for row in rows:
        facts.rows += 1
        flat = flatten(row)
        for name, cell in flat.items():
            column = facts.columns.get(name)
            if column is None:
                if len(facts.columns) == _MOST_COLUMNS:
                    facts.left_out = max(1, facts.left_out)
                    continue
                column = facts.columns[name] = ColumnFacts(name)
            column.add(cell)
        if len(facts.sample) < SAMPLE:
            facts.sample.append(flat)
        elif (place := draw.randrange(facts.rows)) < SAMPLE:
            facts.sample[place] = flat
    return facts


def flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose nested objects are columns `a.b`; a column that is literally called so comes first.

    Of a list of objects, the values of each key are a list of their own, beside the list as it is.
    """
    if not any(isinstance(cell, dict) or _is_objects(cell) for cell in row.values()):
        return dict(row)
    found: dict[str, Any] = {}
    _flatten(row, "", found, _DEEPEST)
    return found | {name: cell for name, cell in row.items() if not isinstance(cell, dict)}


def _flatten(row: Mapping[str, Any], prefix: str, found: dict[str, Any], levels: int) -> None:
    for name, cell in row.items():
        path = f"{prefix}{name}"
        if isinstance(cell, dict):
            if levels:
                _flatten(cell, f"{path}.", found, levels - 1)
            continue
        found.setdefault(path, cell)
        if _is_objects(cell):
            for key in dict.fromkeys(key for item in cell for key in item):
                found.setdefault(f"{path}.{key}", [item[key] for item in cell if key in item])


def _is_objects(cell: Any) -> bool:
    return isinstance(cell, list) and bool(cell) and all(isinstance(item, dict) for item in cell)


def _is_any_number(text: str) -> bool:
    word = normalize(text)
    return is_number(word) or _COMMA.fullmatch(word) is not None


def read_comma(text: str) -> float:
    """Return the number that a text with a decimal comma stands for."""
    return float(normalize(text).replace(",", "."))
