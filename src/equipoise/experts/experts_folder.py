"""The folder of a run file's experts: whose it is, and the journal of scored models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from equipoise.config import RunConfig
from equipoise.evaluation import Record
from equipoise.outputs import misplaced
from equipoise.training import RUN_FREE, is_run, run_strangers
from equipoise.workspace import CONFIG, DATA, Journal, RunFileWorkspace, WorkKind, run_file_output

HEADER = "# Written by Equipoise: the run file of these experts, complete.\n"
_JOURNAL = "experts.jsonl"
_FILES = ("experts.html", _JOURNAL, DATA, CONFIG)
"""All that stands beside the experts' folders, in the order of its removal."""


class Cell(TypedDict, total=False):
    """How a model was scored on a task.

    `how` is a value of `AnswerMode`; `penalty` is that of a probe.
    """

    how: str
    penalty: float


class ScoredModel(TypedDict):
    """One line of `experts.jsonl`: a model that is scored on every task.

    `expert` is the task of the expert, None for the base; `cells` are by task; `metrics` are on all rows, with
    intervals; `seconds` is how long scoring took.
    """

    expert: str | None
    cells: dict[str, Cell]
    metrics: list[Record]
    seconds: float


def _strangers(folder: Path) -> list[str]:
    """Return what would be lost with the experts' runs; nothing else is removed."""
    runs = [path for path in sorted(folder.iterdir()) if is_run(path)]
    inner = [f"{run.name}/{name}" for run in runs for name in run_strangers(run, whole=True)]
    return [*misplaced(folder, _FILES), *inner]


def _contents(folder: Path) -> list[Path]:
    runs = [path for path in folder.iterdir() if is_run(path)] if folder.exists() else []
    return [*runs, *(folder / name for name in _FILES)]


EXPERTS_OUTPUT = run_file_output("experts", HEADER, _strangers)
"""How the folder of `equipoise experts` is known, and what may be replaced in it."""


class ExpertsFolder(RunFileWorkspace):
    """Where the experts of a run file lie.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        # An expert is a run: what may differ between two calls of one may differ here.
        kind = WorkKind("the first expert", EXPERTS_OUTPUT, _contents, HEADER, RUN_FREE)
        super().__init__(path, kind)
        self.journal: Journal[str | None, ScoredModel] = Journal(path / _JOURNAL, "expert")

    def start(self, config: RunConfig, data: Mapping[str, Any], *, restart: bool = False) -> None:
        """Start the experts, or make sure that those that lie here are this run file's; see `RunFileWorkspace`."""
        super().start(config, data, restart=restart)
        # Groups may have changed.
        self.write_config(config)
