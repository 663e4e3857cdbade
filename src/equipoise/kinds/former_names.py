"""Names of keys and values that run files and models used to have, and that are still read."""

from collections.abc import Mapping
from typing import Any

_KEYS = {"verbalise": "verbalize"}
_FORMATS = {"module": "head", "instruct": "prompt"}


def with_current_names(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a task with former names replaced by current ones."""
    current = {_KEYS.get(key, key): value for key, value in task.items()}
    if isinstance(name := current.get("format"), str):
        current["format"] = _FORMATS.get(name, name)
    return current


def list_former_names(task: Mapping[str, Any]) -> list[str]:
    """Say of each former name in the keys of a task what it is now; what is left empty does not count."""
    keys = [f"'{key}' is now '{_KEYS[key]}'" for key in _KEYS if task.get(key) is not None]
    return keys + [f"format: {old} is now format: {new}" for old, new in _FORMATS.items() if task.get("format") == old]
