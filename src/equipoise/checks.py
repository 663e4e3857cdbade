"""Checks of what a user gives as options; of this package the module needs the errors alone."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from equipoise.errors import UsageError


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


def checked_path(name: str, value: Any, hint: str = "give the path as text") -> Path:
    """Return what a user gives for a file or folder as a path.

    Args:
        name: the option, for the message.
        value: what was given.
        hint: the way out where it is no path, for the message.

    Raises:
        UsageError: If it is no path, or holds a character that no path can have.

    Example:
        >>> from equipoise.checks import checked_path
        >>> checked_path("load()", "runs/reviews").name
        'reviews'
    """
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{name}: found {type(value).__name__}, expected a path; {hint}.")
    if "\0" in str(value):
        raise UsageError(f"{name}: found characters that no path can have in {str(value)[:100]!r}; take them out.")
    return Path(value)
