"""Lists of tuples as a language model writes them: `battery life | positive ; screen | negative` (our design).

Items stand between semicolons, their fields between bars. `none` is a field without words, and alone the empty list. A
backslash takes the special meaning of what follows: `\\;`, `\\|`, `\\\\`, and `\\none` for the word itself.
"""

import re
from collections.abc import Sequence

from .labels import LabelError, show

NOTHING = "none"
_ITEM, _FIELD = " ; ", " | "
_SPECIAL = re.compile(r"[\\;|]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WELL_FORMED = re.compile(r"(?:[^\\]|\\.)+", re.DOTALL)


def write_field(words: str | None) -> str:
    """Write one field; None is one without words."""
    if words is None:
        return NOTHING
    written = _SPECIAL.sub(r"\\\g<0>", words.strip())
    return f"\\{written}" if written.casefold() == NOTHING else written


def write_list(items: Sequence[Sequence[str | None]]) -> str:
    """Write a list of tuples.

    Example:
        >>> write_list([("battery life", "positive"), (None, "negative")])
        'battery life | positive ; none | negative'
        >>> write_list([])
        'none'
    """
    return _ITEM.join(_FIELD.join(map(write_field, item)) for item in items) or NOTHING


def read_list(written: str, columns: Sequence[str]) -> list[tuple[str | None, ...]]:
    """Read what `write_list` wrote.

    Args:
        written: the text.
        columns: what the fields of an item are called.

    Raises:
        LabelError: it is no such list: it is empty, an item has more or fewer fields, or a field is empty.
    """
    if written.strip().casefold() == NOTHING and len(columns) > 1:
        return []
    form = _FIELD.join(columns)
    if not written.strip():
        raise LabelError(f"found an empty answer, expected {form}, or {NOTHING}")
    items = []
    for fields in _split(written):
        if len(fields) != len(columns):
            found = show(_FIELD.join(field.strip() for field in fields))
            raise LabelError(f"found {found}, expected {form}, or {NOTHING} alone")
        items.append(tuple(map(_read_field, fields, columns)))
    # Of one column the list and its item look alike.
    return [] if items == [(None,)] else items


def _split(written: str) -> list[list[str]]:
    """Return the fields of each item, as they are written."""
    items = [[""]]
    characters = iter(written)
    for character in characters:
        if character == ";":
            items.append([""])
        elif character == "|":
            items[-1].append("")
        else:
            items[-1][-1] += character + (next(characters, "") if character == "\\" else "")
    return items


def _read_field(written: str, column: str) -> str | None:
    words = written.strip()
    if not _WELL_FORMED.fullmatch(words):
        raise LabelError(f"found {show(words)} for {column}, expected words (and \\\\ for a backslash)")
    return None if words.casefold() == NOTHING else _ESCAPED.sub(r"\1", words)
