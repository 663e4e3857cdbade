"""What regression suggests for columns: scores, with the range that they seem to have."""

import math
from collections.abc import Sequence
from typing import Any

from ..suggestions import LabelColumn, Suggestion

_CALLED = ("score", "intensity", "valence", "arousal", "rating", "strength", "degree", "compound", "dominance", "value")
_SCALES = (
    *((0.0, 1.0), (-1.0, 1.0), (-2.0, 2.0), (-3.0, 3.0), (1.0, 5.0), (0.0, 5.0), (1.0, 7.0), (-4.0, 4.0)),
    *((1.0, 10.0), (0.0, 10.0), (-5.0, 5.0), (-10.0, 10.0), (0.0, 100.0), (-100.0, 100.0)),
)
"""Ranges that scores usually have, narrow ones first."""
_LEAST_DIFFERENT = 3


def propose(columns: Sequence[LabelColumn]) -> list[Suggestion]:
    """Suggest scores where a column holds numbers."""
    return [suggestion for column in columns if (suggestion := _propose(column)) is not None]


def _propose(column: LabelColumn) -> Suggestion | None:
    if column.numbers is None or column.low is None or column.high is None:
        return None
    different = len(set(column.numbers))
    if different < _LEAST_DIFFERENT:
        return None
    called = column.is_called(_CALLED)
    if column.whole_numbers is not None and len(column.whole_numbers) <= 11:
        fit = 0.48
    elif all(map(float.is_integer, column.numbers)):
        # Counts, such as of likes, are whole numbers without an upper end.
        fit = 0.6 if called else 0.3
    else:
        fit = 0.9 if called else 0.6
    return Suggestion((column.name,), _find_range(column.low, column.high, column.complete), fit, _say(column))


def _say(column: LabelColumn) -> str:
    return f"scores from {column.low:g} to {column.high:g}"


def _find_range(low: float, high: float, complete: bool) -> dict[str, Any]:
    """Return the narrowest usual scale that holds all scores and that they fill by half, else their own ends.

    Nothing where not all rows were read and the scores have no usual scale: a score outside the range is an error.
    """
    for least, most in _SCALES:
        if least <= low and high <= most and high - low >= (most - least) / 2:
            return {"range": [_plain(least), _plain(most)]}
    return {"range": [_round(low, math.floor), _round(high, math.ceil)]} if complete else {}


def _round(number: float, to_whole: Any) -> float | int:
    """Round to two figures, away from the scores."""
    if not number:
        return 0
    digits = 1 - math.floor(math.log10(abs(number)))
    step = 10.0**digits
    rounded = to_whole(number * step) / step if abs(digits) < 300 else number
    # What is rounded in floating point may have gone the wrong way.
    return _plain(number if (rounded > number) == (to_whole is math.floor) and rounded != number else rounded)


def _plain(number: float) -> float | int:
    return int(number) if number.is_integer() and abs(number) < 1e9 else number
