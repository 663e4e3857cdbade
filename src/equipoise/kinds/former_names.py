"""Names of keys and values that run files and models used to have, and that are still read."""

from collections.abc import Mapping
from typing import Any

FORMER_KEYS = {"verbalise": "verbalize"}
FORMER_FORMATS = {"module": "head", "instruct": "prompt"}


def with_current_names(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a task with former names replaced by current ones."""
    current = {FORMER_KEYS.get(key, key): value for key, value in task.items()}
    if isinstance(name := current.get("format"), str):
        current["format"] = FORMER_FORMATS.get(name, name)
    return current
