"""Names of classes: found in any spelling, and told from lists that are written as text."""

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from equipoise.keys import name_key

_LONGEST_LIST = 10_000
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_CALL = re.compile(r"(?:np\.|numpy\.)?(?:array|set|frozenset|list|tuple)\((.*?)(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
_BYTES = re.compile(rf"b(?:{QUOTED})", re.DOTALL)
_ITEM = re.compile(rf"\s*({QUOTED}|{_NUMBER})\s*(,?)", re.DOTALL)


class Vocabulary(NamedTuple):
    """Names of one sort in the labels of a task: classes, or categories.

    Args:
        key: the run file's key that lists them, also the field of the task.
        noun: what messages call one of them.
        known: the names that are listed, none where they are found in the training rows.
        of: returns the names in a parsed label.
        rename: returns a parsed label with its names replaced.
        has_separator: whether a text cell can hold several, with the task's separator between them.
    """

    key: str
    noun: str
    known: tuple[str, ...]
    of: Callable[[Any], tuple[str, ...]]
    rename: Callable[[Any, Mapping[str, str]], Any]
    has_separator: bool = False


class NameIndex:
    """Finds a name among known ones, in any spelling that has the same key.

    Args:
        names: the known names, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._exact = {name: index for index, name in enumerate(names)}
        self._keys: dict[str, int] = {}
        for index, name in enumerate(names):
            self._keys.setdefault(name_key(name), index)

    def __contains__(self, name: str) -> bool:
        return self.find(name) is not None

    def find(self, name: str) -> int | None:
        """Return the place of a name, None where it is not known."""
        found = self._exact.get(name)
        return self._keys.get(name_key(name)) if found is None else found


def read_list(text: str, longest: int = _LONGEST_LIST) -> list[Any] | None:
    """Read a list that was written as text: by JSON, by Python (as pandas does), or by numpy.

    Args:
        text: the text.
        longest: a text of more characters is none.

    Returns:
        The texts and numbers in it; None where the text is no such list. `[other]` is none: nothing in it is quoted.
    """
    text = text.strip()
    if called := _CALL.fullmatch(text):
        text = called[1].strip() or "[]"
    if len(text) > longest or len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = _read_items(text)
    if not isinstance(items, list) or any(isinstance(item, bool) or not _is_plain(item) for item in items):
        return None
    # Brackets of other kinds around numbers alone, such as (1), may be a name.
    return items if text[0] == "[" or not items or any(isinstance(item, str) for item in items) else None


def seems_list(name: str) -> bool:
    """Whether a name has the brackets and quotes of a list that was written as text."""
    if read_list(name) is not None:
        return True
    name = name.strip()
    if name[:1] in ("[", "{") or name[-1:] in ("]", "}") or _CALL.fullmatch(name) is not None:
        return True
    quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "'\""
    return quoted or re.search(r"^\(\s*['\"]|['\"]\s*,?\s*\)$", name) is not None


def seems_bytes(name: str) -> bool:
    """Whether a name is bytes that Python wrote as text, such as b'joy'."""
    return _BYTES.fullmatch(name.strip()) is not None


def _read_items(text: str) -> list[Any] | None:
    """Read quoted texts and numbers between commas (Python) or whitespace (numpy)."""
    inner = text[1:-1].strip()
    items: list[Any] = []
    commas: list[bool] = []
    place = 0
    while place < len(inner):
        found = _ITEM.match(inner, place)
        # Two items without anything between them are one text in Python.
        if found is None or (place and not commas[-1] and not inner[place - 1].isspace()):
            return None
        try:
            with warnings.catch_warnings(action="ignore"):  # of a backslash that escapes nothing
                items.append(ast.literal_eval(found[1]))
        except (ValueError, SyntaxError):
            return None
        commas.append(bool(found[2]))
        place = found.end()
    # Between all items, or between none; one may stand behind the last.
    return items if len(set(commas[:-1])) < 2 else None


def _is_plain(item: Any) -> bool:
    return isinstance(item, str | int | float) and item == item
