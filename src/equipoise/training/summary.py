"""What a run took and achieved in figures: `summary.json`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NotRequired, TypedDict

from torch import nn

from equipoise.evaluation import Record, run_score
from equipoise.files import write_json
from equipoise.kinds import Task

from .memory import peak_memory_mb

SUMMARY = "summary.json"
_SCORED = ("dev", "test")


class Summary(TypedDict):
    """What `summary.json` holds.

    `run_score` is by split; `seconds` are those of all steps, `seconds_per_step` is their median, None where nothing
    was trained; `difficulty_seconds` is how long the difficulty for a curriculum took; `peak_memory_mb` is the GPU's
    where there is one.
    """

    status: str
    steps: int
    best_step: int
    run_score: dict[str, float]
    parameters: int
    seconds: float
    seconds_per_step: float | None
    difficulty_seconds: NotRequired[float]
    peak_memory_mb: float
    versions: dict[str, str]


@dataclass(frozen=True)
class Effort:
    """What a run took.

    Args:
        steps: how many.
        best_step: the step that dev has chosen.
        seconds: of all steps.
        seconds_per_step: their median, None where nothing was trained.
        difficulty_seconds: how long measuring difficulty took, None where nothing was trained.
    """

    steps: int
    best_step: int
    seconds: float
    seconds_per_step: float | None = None
    difficulty_seconds: float | None = None


def write_summary(
    folder: Path, records: Iterable[Record], tasks: Mapping[str, Task], model: nn.Module, effort: Effort
) -> None:
    """Write `summary.json`.

    Args:
        folder: the run's folder.
        records: its metrics.
        tasks: its tasks.
        model: the model, for the number of its parameters.
        effort: what it took.
    """
    own = [record for record in records if record["model"] == "run"]
    scores = {split: run_score([record for record in own if record["split"] == split], tasks) for split in _SCORED}
    summary: Summary = {
        "status": "finished",
        "steps": effort.steps,
        "best_step": effort.best_step,
        "run_score": scores,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(effort.seconds, 1),
        "seconds_per_step": None if effort.seconds_per_step is None else round(effort.seconds_per_step, 4),
        "peak_memory_mb": peak_memory_mb(),
        "versions": {name: version(name) for name in ("equipoise", "torch", "transformers")},
    }
    if effort.difficulty_seconds is not None:
        summary["difficulty_seconds"] = effort.difficulty_seconds
    write_json(folder / SUMMARY, summary)


def read_summary(folder: Path) -> Summary:
    """Return what `write_summary` wrote.

    Raises:
        OSError, ValueError: there is none, or it is no JSON.
    """
    found: Summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return found
