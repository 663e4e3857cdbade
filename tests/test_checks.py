import math

import pytest

from equipoise.checks import checked_integer, checked_number, checked_path
from equipoise.errors import UsageError


def test_a_number_in_range_is_returned_as_a_float():
    value = checked_number("beta", 1, lambda value: value <= 1, "at most 1")
    assert value == 1.0
    assert isinstance(value, float)


@pytest.mark.parametrize("value", [2, math.nan, math.inf, True, "1", None, [1]])
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match=r"^`beta` must be at most 1\. Found "):
        checked_number("beta", value, lambda value: value <= 1, "at most 1")


@pytest.mark.parametrize("value", [0, 1.0, True, "1", None])
def test_an_integer_is_at_least_the_least(value):
    assert checked_integer("steps", 1, 1) == 1
    with pytest.raises(ValueError, match=r"^`steps` must be a whole number, at least 1\. Found "):
        checked_integer("steps", value, 1)


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, "NoneType"), ({}, "dict"), (b"a", "bytes"), ("a\0b", "characters that no path can have")],
)
def test_what_is_no_path_is_refused(value, found):
    assert checked_path("load()", "a/b").name == "b"
    with pytest.raises(UsageError, match=rf"^load\(\): found {found}"):
        checked_path("load()", value)
