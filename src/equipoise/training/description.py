"""What a run was trained on, for `data.json`."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from equipoise.data import Table
from equipoise.errors import TrainingError
from equipoise.modeling import changed_files, digest_base


def describe_table(table: Table) -> dict[str, Any]:
    """What was trained on: rows a split, labels a task and split, auxiliary tasks, and how many of each class."""
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
        "fingerprint": fingerprint(table),
    }


def describe_inputs(table: Table, model: str) -> dict[str, Any]:
    """What a run learns from, for `data.json`: `describe_table`, and by what its base is known again."""
    return {**describe_table(table), "base": digest_base(model)}


def check_same_inputs(folder: Path, begun: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Make sure that what goes on goes on with the data and the base that it was begun with.

    Args:
        folder: where it lies.
        begun: what `describe_inputs` gave then; without "base" it is from before bases were recorded.
        now: the same now.
        what: what was begun, as a message says it: "the run".

    Raises:
        TrainingError: data or base are others.
    """
    hint = "start anew with --overwrite or another `output`"
    if begun["fingerprint"] != now["fingerprint"]:
        raise TrainingError(
            f"{folder}: the data changed since {what} was begun (rows then {begun['rows']}, now {now['rows']}); put "
            f"the files back, or {hint}."
        )
    if changed := changed_files(begun.get("base"), now["base"]):
        raise TrainingError(
            f"{folder}: the model changed since {what} was begun (other content: {', '.join(changed[:3])}); put the "
            f"model back, or {hint}."
        )


def fingerprint(table: Table) -> str:
    """Return a hash of all texts and labels."""
    digest = hashlib.sha256()
    for dataset in table.splits.values():
        for column in dataset.column_names:
            digest.update(repr(dataset[column][:]).encode())
    return digest.hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions of what decides a result."""
    return {name: version(name) for name in ("equipoise", "torch", "transformers")}
