"""Whether a run file is the one that work was started with."""

import re
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, load_config

_SHOWN = 5


def changed_settings(config: RunConfig, then: Path, free: str) -> str:
    """Name the settings that differ from those that work was started with, five at most; "" where none does.

    Args:
        config: the run file now.
        then: the run file that the work was started with.
        free: a regular expression; keys that it matches may differ.
    """
    there, here = (_flat(item.model_dump(mode="json")) for item in (load_config(then, scored=False), config))
    changed = [key for key in {**there, **here} if there.get(key) != here.get(key) and not re.fullmatch(free, key)]
    return ", ".join(f"{key}: {there.get(key)} there, {here.get(key)} now" for key in changed[:_SHOWN])


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(data, dict):
        return {prefix: data}
    return {
        key: value
        for name, item in data.items()
        for key, value in _flat(item, f"{prefix}.{name}" if prefix else name).items()
    }
