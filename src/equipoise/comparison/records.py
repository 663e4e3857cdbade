"""The lines of `compare.jsonl`: one per training."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from equipoise.evaluation import Record

Role = Literal["cell", "single", "trial"]
"""What a training is for: a row's model, one task's model of single-task, or choosing static weights."""


class CellRecord(TypedDict):
    """What every line holds: the cell, what was set for it, and its folder below the comparison's."""

    key: str
    row: str
    role: Role
    seed: int
    tasks: list[str]
    overrides: dict[str, Any]
    folder: str


class FailedRecord(CellRecord):
    """A training that failed, and why."""

    status: Literal["failed"]
    message: str


class FinishedRecord(CellRecord):
    """A finished training: its metrics on dev and test, its run score by split, and what it took."""

    status: Literal["finished"]
    metrics: list[Record]
    run_score: dict[str, float]
    seconds: float
    seconds_per_step: float | None
    peak_memory_mb: float
    steps: int
    best_step: int
    versions: dict[str, str]


TrainingRecord: TypeAlias = FinishedRecord | FailedRecord
Records: TypeAlias = Mapping[str, TrainingRecord]
"""The last line of each training by its key."""


def get_finished(records: Records, key: str) -> FinishedRecord | None:
    """Return the record of a training; None where it has failed or has none."""
    record = records.get(key)
    return record if record is not None and record["status"] == "finished" else None
