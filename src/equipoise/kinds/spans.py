"""Stretches of a text: found, checked, and written as JSON."""

import ast
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .labels import LabelError, quote, shorten, show
from .names import QUOTED, read_list

_LONGEST_LIST = 100_000
_BETWEEN_OBJECTS = re.compile(rf"({QUOTED})|\}}\s+\{{", re.DOTALL)
MISSING_HINT = "Correct the cells, or leave out what does not stand in its text (missing_terms: skip)."
"""What to do where words do not stand in their text."""

NOWHERE = -1
"""The start and end of a term that does not stand in its text."""


def check_stretch(start: Any, end: Any, text: str) -> None:
    """Make sure that a stretch lies in its text.

    Raises:
        LabelError: it does not, is empty, or is no pair of whole numbers.
    """
    if not (_is_whole(start) and _is_whole(end) and 0 <= start < end <= len(text)):
        raise LabelError(
            f"found a span from {show(start)} to {show(end)}, expected whole numbers, 0 ≤ start < end ≤ {len(text)}"
        )
    if not text[start:end].strip():
        raise LabelError(f"found a span from {start} to {end}, which holds whitespace only, expected words")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def read_items(cell: Any, what: str) -> list[Any]:
    """Read the list in a label cell: a list, or JSON text that holds one.

    Args:
        cell: the cell.
        what: an example of the list, for messages.

    Raises:
        LabelError: it is neither.
    """
    found = _parse_list(cell) if isinstance(cell, str) else cell
    # Parquet files give arrays.
    if hasattr(found, "tolist"):
        found = found.tolist()
    if not isinstance(found, list | tuple):
        raise LabelError(f"found {show(cell)}, expected a list such as {what}, or [] for none")
    return list(found)


def _parse_list(text: str) -> Any:
    """Read a list as JSON, or as Python or numpy writes it (so do data frames in CSV files); None where it is none."""
    if len(text) > _LONGEST_LIST:
        return None
    for parse in (json.loads, _read_words, ast.literal_eval, _read_objects):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if found is not None:
            return found
    return None


def _read_words(text: str) -> Any:
    # Python would read ['battery' 'screen'], as numpy writes it, as one word.
    return read_list(text, longest=_LONGEST_LIST)


def _read_objects(text: str) -> Any:
    """Read objects without commas between them, as numpy writes them."""
    return ast.literal_eval(_BETWEEN_OBJECTS.sub(lambda match: match[1] or "},{", text))


def read_fields(item: Any, known: Sequence[str], what: str) -> dict[str, Any]:
    """Read one object of a list, without its empty fields.

    Args:
        item: the object.
        known: the fields it may have.
        what: an example, for messages.

    Raises:
        LabelError: it is no object, or has other fields.
    """
    if not isinstance(item, dict):
        raise LabelError(f"found {show(item)} in a list, expected an object such as {what}")
    if unknown := [str(key) for key in item if key not in known]:
        raise LabelError(f"found the field {quote(unknown[:1])}, expected some of {quote(known)}")
    return {key: value for key, value in item.items() if value is not None}


def read_term(value: Any) -> str:
    """Read a term, without the whitespace around it.

    Raises:
        LabelError: it is no text.
    """
    if not isinstance(value, str) or not value.strip():
        raise LabelError(f"found the term {show(value)}, expected words of the text")
    return value.strip()


def write_items(items: Sequence[dict[str, Any]]) -> str:
    """Write a list of objects as JSON: what tables and predictions hold."""
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=2**16)
def load_items(encoded: str) -> tuple[dict[str, Any], ...]:
    """Read what `write_items` wrote, none from what `write_unparsed` wrote; nobody may change it."""
    found = json.loads(encoded)
    return tuple(found) if isinstance(found, list) else ()


def write_unparsed(written: str, reason: str) -> str:
    """Write the prediction that stands for an answer that cannot be read: without items, and known as such.

    Args:
        written: what a language model wrote.
        reason: why it cannot be read.
    """
    return json.dumps({"unparsed": written, "reason": reason}, ensure_ascii=False)


def find_unparsed(encoded: Any) -> dict[str, Any] | None:
    """Return what `write_unparsed` wrote; None for a list."""
    return json.loads(str(encoded)) if str(encoded).startswith("{") else None


def name_some(terms: Sequence[str], most: int = 3) -> str:
    """Name the first of several terms, for notes."""
    shown = ", ".join(f"'{shorten(term, 40)}'" for term in terms[:most])
    return shown if len(terms) <= most else f"{shown} …"
