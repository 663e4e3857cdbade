"""What a run was trained on, for `data.json`."""

import hashlib
from importlib.metadata import version
from typing import Any

from equipoise.data import Table


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
