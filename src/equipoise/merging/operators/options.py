"""Checks of an operator's options."""

from collections.abc import Callable, Collection
from typing import Any

from equipoise.checks import checked_number
from equipoise.errors import UsageError, did_you_mean


def checked_option(operator: str, option: str, value: Any, valid: Callable[[float], bool], expected: str) -> float:
    """Return an option's value as a float.

    Args:
        operator: the operator's name, for the message.
        option: the option's name, for the message.
        value: what was given.
        valid: whether a finite number is in range.
        expected: the range in words, for the message.

    Raises:
        UsageError: If it is no finite number, or out of range.
    """
    try:
        return checked_number(option, value, valid, expected)
    except ValueError as error:
        raise UsageError(f"merge: {operator}: {error}") from None


def checked_density(operator: str, value: Any) -> float:
    """Return a share of numbers to keep, in (0, 1].

    Raises:
        UsageError: If it is something else.
    """
    return checked_option(operator, "density", value, lambda density: 0 < density <= 1, "in (0, 1]")


def checked_scale(operator: str, value: Any) -> float:
    """Return a factor, above 0.

    Raises:
        UsageError: If it is something else.
    """
    return checked_option(operator, "scale", value, lambda scale: scale > 0, "a positive number")


def checked_time(operator: str, value: Any) -> float:
    """Return how long to follow a gradient, above 0.

    Raises:
        UsageError: If it is something else.
    """
    return checked_option(operator, "time", value, lambda time: time > 0, "a positive number")


def checked_choice(operator: str, option: str, value: Any, choices: Collection[str]) -> str:
    """Return one of several words.

    Raises:
        UsageError: If it is none of them.
    """
    if value not in choices:
        expected = " or ".join(map(repr, choices))
        hint = did_you_mean(value, choices)
        hint = f" {hint}" if hint.startswith("Did") else ""
        raise UsageError(f"merge: {operator}: `{option}` must be {expected}. Found {value!r}.{hint}")
    return str(value)
