"""Checks of numbers that a user gives as options; the module needs nothing else of this package."""

import math
from collections.abc import Callable
from typing import Any


def checked_number(name: str, value: Any, valid: Callable[[float], bool], expected: str) -> float:
    """Return an option's value as a float.

    Args:
        name: the option, for the message.
        value: what was given.
        valid: whether a finite number is in range.
        expected: the range in words, for the message.

    Raises:
        ValueError: If it is not a finite number, or out of range.

    Example:
        >>> from equipoise.checks import checked_number
        >>> checked_number("beta", 1, lambda value: 0 <= value <= 1, "in [0, 1]")
        1.0
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not valid(value):
        raise ValueError(f"`{name}` must be {expected}. Found {value!r}.")
    return float(value)


def checked_integer(name: str, value: Any, least: int) -> int:
    """Return an option's value as an int.

    Args:
        name: the option, for the message.
        value: what was given.
        least: the smallest value that is allowed.

    Raises:
        ValueError: If it is not an integer, or too small.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"`{name}` must be a whole number, at least {least}. Found {value!r}.")
    return value
