"""The folder of `equipoise mix`: whose it is, and the journal of what is finished."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from equipoise.config import RunConfig
from equipoise.training import RUN_FREE, lost_with_runs, runs_and_files
from equipoise.workspace import CONFIG, DATA, Journal, RunFileWorkspace, WorkKind, run_file_output

HEADER = "# Written by Equipoise: the run file whose tasks are mixed here, complete.\n"
MIXED, RESULTS, PAGE = "mixed.yaml", "mix.json", "mix.html"
_JOURNAL = "mix.jsonl"
_FILES = (PAGE, RESULTS, MIXED, _JOURNAL, DATA, CONFIG)
"""All that stands beside unfinished trainings, in the order of its removal."""
_OPTIONS = "mix"


@dataclass(frozen=True)
class MixOptions:
    """What decides which trainings there are, beside the run file.

    Args:
        candidates: "all" (every other task) or "auxiliary" (auxiliary tasks alone).
        targets: the targets.
        passes: how often a short training reads each of the target's rows.
    """

    candidates: str
    targets: tuple[str, ...]
    passes: float


class CellRecord(TypedDict):
    """One line of `mix.jsonl`: the untrained model, a helper that is trained alone, or a training of a target.

    `rows` were read in `seconds`. The first two have by target the losses of a probe on their features, on some rows of
    train (`probes`); a training has the target's loss on each row of dev (`losses`) and its primary
    metric there (`metric`).
    """

    cell: str
    rows: int
    seconds: float
    probes: NotRequired[dict[str, list[float]]]
    losses: NotRequired[list[float]]
    metric: NotRequired[float]


MIX_OUTPUT = run_file_output("a mix", HEADER, partial(lost_with_runs, files=_FILES))
"""How the folder of `equipoise mix` is known, and what may be replaced in it."""


class MixFolder(RunFileWorkspace):
    """Where the trainings of `equipoise mix` lie, and what they found.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, WorkKind("the mix", MIX_OUTPUT, partial(runs_and_files, files=_FILES), HEADER, RUN_FREE))
        self.journal: Journal[str, CellRecord] = Journal(path / _JOURNAL, "cell")

    def open(self, config: RunConfig, data: Mapping[str, Any], options: MixOptions, *, restart: bool) -> None:
        """Start the work, or make sure that what lies here is this work; see `RunFileWorkspace.start`.

        Args:
            config: the run file.
            data: what it reads.
            options: what else must stay the same; a budget may change.
            restart: remove what lies here.

        Raises:
            TrainingError: what lies here has other settings or options, other data or another base model.
        """
        stated = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(options).items()}
        then = None if restart else (self.read_data() or {}).get(_OPTIONS)
        if then is not None and then != stated:
            raise self.refuse_settings(_changes(then, stated))
        self.start(config, {**data, _OPTIONS: stated}, restart=restart)


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    def write(value: Any) -> str:
        return ",".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)

    return ", ".join(
        f"{key}: {write(then.get(key))} there, {write(now[key])} now" for key in now if then.get(key) != now[key]
    )
