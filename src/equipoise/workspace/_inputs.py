"""What work reads: its files, its rows and its base model, and whether they are the ones it was started with."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.errors import OVERWRITE, TrainingError
from equipoise.modeling import changed_files, digest_base

_ROWS = 10_000
"""Rows that are written out at a time."""


def inputs_of(config: RunConfig) -> list[tuple[str, Path]]:
    """Return what a run file makes a command read: its key, and the file or folder."""
    inputs = [("model", Path(config.model))] if Path(config.model).is_absolute() else []
    for name, source in config.sources.items():
        inputs += [(f"sources.{name}.{key}", path) for key, paths in source.paths().items() for path in paths]
    return inputs


def describe_table(table: Table) -> dict[str, Any]:
    """Describe the data for `data.json`.

    Returns:
        "rows" by split, "labels" by task and split, "auxiliary" tasks, "classes" (how many of each, by task and split),
        "counted" (of what: "rows", or what the lists of a task hold), "fingerprint" of all texts and labels.
    """
    classes = {
        name: {split: task.count(table.labels(name, split)) for split in table.splits}
        for name, task in table.tasks.items()
    }
    counts = table.counts()
    return {
        "rows": {split: count["rows"] for split, count in counts.items()},
        "labels": {name: {split: count["labels"][name] for split, count in counts.items()} for name in table.tasks},
        "auxiliary": [name for name, task in table.tasks.items() if task.auxiliary],
        "classes": {name: of_splits for name, of_splits in classes.items() if of_splits["train"]},
        "counted": {name: task.counted for name, task in table.tasks.items()},
        "fingerprint": fingerprint(table),
    }


def describe_inputs(table: Table, model: str) -> dict[str, Any]:
    """Describe data and base model for `data.json`: `describe_table`, and "base", the digests of the base's files."""
    return {**describe_table(table), "base": digest_base(model)}


def fingerprint(table: Table) -> str:
    """Return a hash of all texts and labels."""
    digest = hashlib.sha256()
    for dataset in table.splits.values():
        for column in dataset.column_names:
            # What `repr` says of the column as a list, without the list.
            digest.update(b"[")
            for start in range(0, len(dataset), _ROWS):
                cells = dataset[column][start : start + _ROWS]
                digest.update((", " * (start > 0) + repr(cells)[1:-1]).encode())
            digest.update(b"]")
    return digest.hexdigest()


def check_same_inputs(folder: Path, then: Mapping[str, Any], now: Mapping[str, Any], what: str, hint: str) -> None:
    """Make sure that work continues with the data and the base model that it was started with.

    Args:
        folder: where it lies.
        then: what `describe_inputs` gave at the start; without "base" it is from before bases were recorded.
        now: the same now.
        what: what was started, for messages: "the run".
        hint: what else to do, for messages.

    Raises:
        TrainingError: the data or the base model changed.
    """
    way_out = f"start from scratch with {OVERWRITE}, or {hint}"
    if then["fingerprint"] != now["fingerprint"]:
        raise TrainingError(
            f"{folder}: the data changed since {what} was started (rows then {then['rows']}, now {now['rows']}); put "
            f"the files back, {way_out}."
        )
    if changed := changed_files(then.get("base"), now["base"]):
        raise TrainingError(
            f"{folder}: the model changed since {what} was started (other content: {', '.join(changed[:3])}); put the "
            f"model back, {way_out}."
        )
