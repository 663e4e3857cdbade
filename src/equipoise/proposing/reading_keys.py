"""How the cells of a source are to be read: which words mean missing, decimal commas, HTML; and cells read that way."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from equipoise.data import clean_html
from equipoise.keys import is_blank, normalize
from equipoise.kinds import LabelColumn

from .facts import ColumnFacts, TableFacts, read_comma
from .roles import Roles

_PLUS = re.compile(r"\++")
_DASHES = re.compile(r"-+")
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_LEAST_MARKUP = 0.002
"""The share of texts with entities or tags from which on they are cleaned."""


@dataclass
class CellKeys:
    """How the cells of a source are to be read.

    Attributes:
        keys: the keys `na`, `decimal` and `clean` of the source, as far as it needs them.
        why: by key what was found.
        perhaps: keys that stand as comments, with why.
    """

    keys: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    perhaps: dict[str, tuple[Any, str]] = field(default_factory=dict)


def find_cell_keys(facts: TableFacts, roles: Roles) -> CellKeys:
    """Find out how the cells of a source are to be read.

    Args:
        facts: what is known of its rows.
        roles: what its columns are for.
    """
    found = CellKeys()
    columns = [column for name, column in facts.columns.items() if name not in roles.ignored and name != roles.text]
    _find_missing(columns, facts, roles, found)
    commas = [column.name for column in columns if column.is_numeric and column.commas and not column.points]
    if commas:
        found.keys["decimal"] = ","
        found.why["decimal"] = f"numbers with a comma in {', '.join(commas[:3])}"
    texts = [facts.columns[name] for name in (roles.text, roles.pair) if name]
    marked = sum(column.entities for column in texts)
    if marked:
        example = next(column.entity for column in texts if column.entity)
        why = f"{marked:,} texts with entities or tags, such as {example}"
        if marked >= max(2, _LEAST_MARKUP * facts.rows):
            found.keys["clean"], found.why["clean"] = "html", why
        else:
            found.perhaps["clean"] = ("html", why)
    return found


def _find_missing(columns: Collection[ColumnFacts], facts: TableFacts, roles: Roles, found: CellKeys) -> None:
    """Say which words mean that there is no value; not words that texts consist of."""
    sure: Counter[str] = Counter()
    perhaps: Counter[str] = Counter()
    for column in columns:
        if column.lists or column.counts is None:
            continue  # in texts to write, a dash is a text
        sure.update(column.missing + column.odd if column.is_numeric else column.sure_missing)
        perhaps.update({} if column.is_numeric else column.missing)
    in_texts = set(facts.columns[roles.text].missing) if roles.text else set()
    # Beside plus signs, minus signs are an opinion.
    if any(_PLUS.fullmatch(normalize(cell)) for column in columns for cell in column.counts or ()):
        in_texts |= {word for word in sure if _DASHES.fullmatch(normalize(word))}
    words = {word: count for word, count in sure.items() if word not in in_texts}
    if words:
        found.keys["na"] = list(dict.fromkeys(word.strip() for word in words))
        count = sum(words.values())
        found.why["na"] = (
            "1 cell that seems to mean: no value" if count == 1 else f"{count:,} cells that seem to mean: no value"
        )
    doubtful = [word for word in perhaps if word not in words and word not in in_texts]
    if doubtful:
        count = sum(perhaps[word] for word in doubtful)
        listed = [*found.keys.get("na", ()), *dict.fromkeys(word.strip() for word in doubtful)]
        found.perhaps["na"] = (listed, f"if these mean no value, too ({count:,} cells)")


def view_label(
    column: ColumnFacts, facts: TableFacts, keys: Mapping[str, Any], text: str, complete: bool
) -> LabelColumn:
    """Return a column as the kinds of task look at it, its cells read as the source's keys say.

    Args:
        column: what is known of it.
        facts: the rows.
        keys: the keys of the source.
        text: the column of the text.
        complete: whether all rows were read.
    """
    missing = {normalize(word) for word in keys.get("na", ())} | {""}
    comma = keys.get("decimal") == "," and column.commas > 0 and column.is_numeric
    read = _Reader(missing, comma)
    counts: Counter[str] | None = None
    if column.counts is not None:
        counts = Counter()
        for spelled, count in column.counts.items():
            if (cell := read(spelled)) is not None:
                counts[str(cell)] += count
    low, high = (column.low, column.high) if column.is_numeric else (None, None)
    if comma:
        ends = [end for end in (low, high, column.comma_low, column.comma_high) if end is not None]
        low, high = min(ends), max(ends)
    texts = [clean_text(cell, keys) for cell in facts.cells(text)]
    return LabelColumn(
        column.name, [read(cell) for cell in facts.cells(column.name)], texts, counts, low, high, complete
    )


@dataclass(frozen=True)
class _Reader:
    """Reads cells: empty ones and words that mean so as None, numbers with a decimal comma as numbers."""

    missing: set[str]
    comma: bool

    def __call__(self, cell: Any) -> Any:
        if cell is None or cell != cell:
            return None
        if isinstance(cell, str):
            if normalize(cell) in self.missing:
                return None
            if self.comma and _COMMA.fullmatch(normalize(cell)):
                return read_comma(cell)
        return cell


def clean_text(cell: Any, keys: Mapping[str, Any]) -> str | None:
    """Return a text as the source's keys have it read; None where there is none."""
    if not isinstance(cell, str) or is_blank(cell):
        return None
    return clean_html(cell) if keys.get("clean") == "html" else cell
