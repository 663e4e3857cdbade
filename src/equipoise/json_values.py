"""Any cell as a value that strict JSON (RFC 8259) has."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

_LEVELS = 100
"""Levels of lists and keys inside each other, at most."""


def as_json_value(value: Any, levels: int = _LEVELS) -> Any:
    """Return a value as JSON writes it.

    NaN and infinities become None, at any depth; NumPy's numbers and arrays become plain ones, bytes become text, and
    what JSON does not know, such as dates, becomes text.

    Args:
        value: any cell of a row.
        levels: how many levels of lists and keys it may have.

    Raises:
        RecursionError: it has more.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if levels < 1:
            raise RecursionError("nested too deeply")
        if isinstance(value, Mapping):
            return {str(key): as_json_value(item, levels - 1) for key, item in value.items()}
        return [as_json_value(item, levels - 1) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
