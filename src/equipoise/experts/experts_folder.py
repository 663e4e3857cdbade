"""The folder of a run file's experts: whose it is, and the journal of scored models."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from equipoise.config import RunConfig
from equipoise.evaluation import Record
from equipoise.training import RUN_FREE, lost_with_runs, runs_and_files
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


EXPERTS_OUTPUT = run_file_output("experts", HEADER, partial(lost_with_runs, files=_FILES))
"""How the folder of `equipoise experts` is known, and what may be replaced in it."""


class ExpertsFolder(RunFileWorkspace):
    """Where the experts of a run file lie.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        # An expert is a run: what may differ between two calls of one may differ here.
        kind = WorkKind("the first expert", EXPERTS_OUTPUT, partial(runs_and_files, files=_FILES), HEADER, RUN_FREE)
        super().__init__(path, kind)
        self.journal: Journal[str | None, ScoredModel] = Journal(path / _JOURNAL, "expert")

    def start(self, config: RunConfig, data: Mapping[str, Any], *, restart: bool = False) -> None:
        """Start the experts, or make sure that those that lie here are this run file's; see `RunFileWorkspace`."""
        super().start(config, data, restart=restart)
        # Groups may have changed.
        self.write_config(config)
