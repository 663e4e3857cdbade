"""What ordinal suggests for columns: ratings by a few whole numbers, and words that have an order."""

import re
from collections.abc import Sequence

from equipoise.keys import loose_key, normalize

from ..suggestions import LabelColumn, Suggestion, say_some

_CALLED = ("star", "rating", "rate", "grade", "rank", "level", "likert")
_MOST = 11
_WIDEST = 10
_SCALES = (
    ("very low", "low", "medium", "high", "very high"),
    ("low", "moderate", "high"),
    ("none", "low", "medium", "high", "critical"),
    ("minor", "moderate", "major", "severe", "critical"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("never", "seldom", "sometimes", "frequently", "always"),
    ("very poor", "poor", "fair", "good", "very good", "excellent"),
    ("terrible", "poor", "average", "very good", "excellent"),
    ("terrible", "bad", "okay", "good", "great"),
    ("awful", "bad", "ok", "good", "excellent"),
    ("sehr schlecht", "schlecht", "mittel", "gut", "sehr gut"),
    ("ungenügend", "mangelhaft", "ausreichend", "befriedigend", "gut", "sehr gut"),
    ("nie", "selten", "manchmal", "oft", "immer"),
)
"""Words in their order, as forms and exports have them."""
_BASES = {
    **dict.fromkeys(
        ("negative", "bad", "disagree", "dissatisfied", "unsatisfied", "unhappy", "unlikely", "bearish"), -1
    ),
    **dict.fromkeys(("neutral", "neither", "mixed", "undecided", "average", "neither agree nor disagree"), 0),
    **dict.fromkeys(("positive", "good", "agree", "satisfied", "happy", "likely", "bullish"), 1),
}
_DEGREES = {"slightly": 1, "somewhat": 1, "weakly": 1, "rather": 1, "": 2, "mostly": 2, "quite": 2, "very": 3}
_DEGREES |= {"strongly": 3, "highly": 3, "extremely": 4, "completely": 4}
_SIGNS = re.compile(r"(\++)|(-+)|(★*)☆*|[0o]|\+/-|±")
_LISTED = re.compile(r"(\d{1,2}) ?[-–—:.)=] ?[^\W\d].*")
_NUMBERED = re.compile(r"([+-]?\d{1,2})[ -]?([^\W\d]+)")


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest an order where a column holds a few whole numbers, or words of a known scale."""
    found = [suggestion for column in columns for suggestion in (_by_numbers(column), _by_words(column))]
    return [suggestion for suggestion in found if suggestion is not None]


def _by_numbers(column: LabelColumn) -> Suggestion | None:
    values = column.whole_numbers
    if values is None or not 3 <= len(values) <= _MOST or values[-1] - values[0] > _WIDEST:
        return None
    called = column.is_called(_CALLED)
    low, high = values[0], values[-1]
    if called and low >= 1 and high in (4, 5):
        low, high = 1, 5
    # Every step of the scale, also one that is on no row.
    classes = [str(value) for value in range(low, high + 1)]
    keys = {"classes": classes} if column.complete else {}
    return Suggestion((column.name,), keys, 0.95 if called else 0.6, f"whole numbers in order, {low} to {high}")


def _by_words(column: LabelColumn) -> Suggestion | None:
    names = column.names
    if names is None or not 3 <= len(names) <= _MOST or not column.complete:
        return None
    listed = list(names)
    order = _order_numbered(listed) or _order_listed(listed) or _order_degrees(listed) or _order_signs(listed)
    is_sure = order is not None and len(order) > 3
    if order is None:
        order = _order_lines(listed)
    if order is None:
        return None
    # Three classes are mostly taken as classes; with more of them the order says much.
    fit = 0.97 if is_sure or column.is_called(_CALLED) else 0.48
    return Suggestion((column.name,), {"classes": order}, fit, f"words in order: {say_some(order, 5)}")


def _order_numbered(names: Sequence[str]) -> list[str] | None:
    """Sort names such as `1 star`, `2 stars` by their numbers; None where they are others."""
    found = [_NUMBERED.fullmatch(normalize(name)) for name in names]
    parts = [(int(match[1]), match[2].lower().removesuffix("s")) for match in found if match is not None]
    if (
        len(parts) < len(names)
        or len({unit for _, unit in parts}) > 1
        or len({number for number, _ in parts}) < len(names)
    ):
        return None
    return [name for _, name in sorted(zip([number for number, _ in parts], names, strict=True))]


def _order_listed(names: Sequence[str]) -> list[str] | None:
    keys = {loose_key(name): name for name in names}
    for scale in _SCALES:
        words = list(map(loose_key, scale))
        if len(keys) == len(names) and keys.keys() <= set(words):
            return [keys[word] for word in words if word in keys]
    return None


def _order_signs(names: Sequence[str]) -> list[str] | None:
    """Sort `--`, `-`, `0`, `+`, `++`, and stars that are drawn; None where one is something else."""
    places: dict[int, str] = {}
    for name in names:
        match = _SIGNS.fullmatch(normalize(name))
        if match is None:
            return None
        plus, minus, stars = (len(group or "") for group in match.groups())
        places[plus + stars - minus] = name
    return [places[place] for place in sorted(places)] if len(places) == len(names) else None


def _order_lines(names: Sequence[str]) -> list[str] | None:
    """Sort `1 - very poor`, `2 - poor`: an order, or a list of things with their numbers."""
    found = {int(match[1]): name for name in names if (match := _LISTED.fullmatch(normalize(name)))}
    return [found[number] for number in sorted(found)] if len(found) == len(names) else None


def _order_degrees(names: Sequence[str]) -> list[str] | None:
    """Sort names such as `very negative`, `somewhat positive`; None where one has no place, or two have the same."""
    places: dict[int, str] = {}
    for name in names:
        place = _find_place(loose_key(name))
        if place is None or place in places:
            return None
        places[place] = name
    return [places[place] for place in sorted(places)]


def _find_place(name: str) -> int | None:
    if name in _BASES:
        return _BASES[name] * _DEGREES[""]
    degree, _, base = name.partition(" ")
    return _BASES[base] * _DEGREES[degree] if base in _BASES and degree in _DEGREES else None
