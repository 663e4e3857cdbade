"""The comparison's folder: its settings, and the journal of finished trainings."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import TrainingError
from equipoise.files import write_json
from equipoise.modeling import digest_base
from equipoise.outputs import OutputKind, misplaced
from equipoise.temporaries import clean_leftovers_in
from equipoise.training import strangers_among_runs
from equipoise.workspace import Journal, WorkKind, Workspace, fingerprint

from .records import TrainingRecord
from .run_files import RunFile

_MARK = "settings of an Equipoise comparison"
_JOURNAL, _SETTINGS = "compare.jsonl", "settings.json"
RUNS = "runs"
_FILES = (_JOURNAL, "compare.html", "compare.json", RUNS, _SETTINGS)
"""All that a comparison writes, in the order of its removal; the file by which it is known comes last."""


def describe_settings(runs: Sequence[RunFile], trials: int, single_task_epochs: Sequence[float]) -> dict[str, Any]:
    """Return what must not change between two calls that share a folder."""
    return {
        "file": _MARK,
        "first": runs[0].name,
        "trials": trials,
        "single_task_epochs": list(single_task_epochs),
        "run_files": {
            run.name: {
                # Balancers, seeds and folders are the comparison's own. Without defaults, so that a later version with
                # more keys can continue.
                **run.config.model_dump(
                    mode="json", exclude={"balance": True, "output": True, "train": {"seed"}}, exclude_defaults=True
                ),
                "data": fingerprint(run.table),
                "base": digest_base(run.config.model),
            }
            for run in runs
        },
    }


def _strangers(folder: Path) -> list[str]:
    """Return what would be lost with the runs of a comparison; only what it writes is removed."""
    strangers = strangers_among_runs(folder / RUNS)
    files = [name for name in _FILES if name != RUNS]
    # What a training has printed is no stranger.
    inner = [f"{RUNS}/{name}" for name in strangers if not re.fullmatch(r"(.*/)?(seed|trial)-\d+\.log", name)]
    return [*misplaced(folder, files, [RUNS]), *inner]


COMPARISON_OUTPUT = OutputKind(
    "a comparison",
    lambda folder: _read_settings(folder) is not None,
    _strangers,
    hint="choose another folder with --output",
)
"""How the folder of `equipoise compare` is known, and what may be replaced in it."""


class CompareFolder(Workspace):
    """Where a comparison lies; several processes may work in it.

    Args:
        path: the folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, WorkKind("the comparison", COMPARISON_OUTPUT, lambda folder: [folder / name for name in _FILES])
        )
        self.journal: Journal[str, TrainingRecord] = Journal(path / _JOURNAL, "key")

    def start(self, settings: dict[str, Any], *, restart: bool = False) -> None:
        """Start the comparison, or make sure that the one that lies here is this one.

        More run files than before are taken in; whatever else differs is an error.

        Args:
            settings: see `describe_settings`.
            restart: remove the comparison that lies here.

        Raises:
            TrainingError: the comparison that lies here has other settings, or is at work and shall be removed.
        """
        worker = self.who_is_here()
        if restart and worker is not None:
            raise TrainingError(
                f"{self.path}: a comparison is at work here ({worker}); wait for it, or choose another --output."
            )
        with self.hold("folder"):
            clean_leftovers_in(self.path)
            if restart:
                self.clear()
            elif (then := _read_settings(self.path)) is not None:
                if changed := _differences(then, settings):
                    raise self.refuse_settings("; ".join(changed[:5]))
                settings = {**settings, "run_files": then["run_files"] | settings["run_files"]}
            write_json(self.path / _SETTINGS, settings)

    def record(self, record: TrainingRecord) -> None:
        """Append the record of a training that has ended."""
        with self.hold("journal"):
            self.journal.append(record)


def _read_settings(folder: Path) -> dict[str, Any] | None:
    try:
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) and settings.get("file") == _MARK else None


def _differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs, in words; run files that only one of the two has are left out."""
    both = then["run_files"].keys() & now["run_files"].keys()
    pairs = [(key, then[key], now[key]) for key in ("first", "trials", "single_task_epochs")]
    pairs += [(name, then["run_files"][name], now["run_files"][name]) for name in sorted(both)]
    return [words for key, there, here in pairs for words in _compare(key, there, here)]


def _compare(key: str, there: Any, now: Any) -> list[str]:
    if isinstance(there, dict) and isinstance(now, dict):
        return [
            words for name in {**there, **now} for words in _compare(f"{key}.{name}", there.get(name), now.get(name))
        ]
    if there == now or (there is None and key.endswith(".base")):  # of before bases were recorded
        return []
    if key.endswith(".data"):
        return [f"{key.removesuffix('.data')}: the rows or labels of its files"]
    return [f"{key}: {json.dumps(there)} there, {json.dumps(now)} now"]
