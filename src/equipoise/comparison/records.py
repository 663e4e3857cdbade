"""The comparison's folder: its settings, and one line in `compare.jsonl` a finished run."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import TrainingError
from equipoise.files import append_json_line, read_json_lines, write_json
from equipoise.modeling import digest_base
from equipoise.outputs import OutputKind, misplaced
from equipoise.temporaries import remove_folder
from equipoise.training.description import fingerprint
from equipoise.training.folder import strangers_among_runs

from .inputs import RunFile

_MARK = "settings of an Equipoise comparison"
_JOURNAL = "compare.jsonl"
RUNS = "runs"
_FILES = (_JOURNAL, "compare.html", "compare.json", RUNS, "settings.json")
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
                # more keys goes on.
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
    found = strangers_among_runs(folder / RUNS)
    files = [name for name in _FILES if name != RUNS]
    # What a training has printed is no stranger.
    inner = [f"{RUNS}/{name}" for name in found if not re.fullmatch(r"(.*/)?(seed|trial)-\d+\.log", name)]
    return [*misplaced(folder, files, [RUNS]), *inner]


COMPARISON_OUTPUT = OutputKind(
    "a comparison", lambda folder: _read_settings(folder) is not None, _strangers, hint="choose another with --output"
)
"""What `equipoise compare` writes, and may replace."""


def open_folder(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Begin a comparison's folder, or make sure that it is this comparison's.

    More run files than before are taken in; whatever else differs is an error.

    Raises:
        TrainingError: the folder holds a comparison with other settings.
    """
    begun = _read_settings(folder)
    if overwrite:
        for name in _FILES:
            remove_folder(folder / name)
    elif begun is not None:
        changed = list(_differences(begun, settings))
        if changed:
            raise TrainingError(
                f"{folder}: the comparison was begun with other settings ({'; '.join(changed[:5])}); call it "
                "unchanged, start anew with --overwrite, or choose another folder with --output."
            )
        settings = {**settings, "run_files": begun["run_files"] | settings["run_files"]}
    write_json(folder / "settings.json", settings)


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the last record of every run by its key."""
    return {record["key"]: record for record in read_json_lines(folder / _JOURNAL)}


def append_record(folder: Path, record: dict[str, Any]) -> None:
    """Append the record of a run."""
    append_json_line(folder / _JOURNAL, record)


def _read_settings(folder: Path) -> dict[str, Any] | None:
    try:
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return settings if isinstance(settings, dict) and settings.get("file") == _MARK else None


def _differences(begun: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What differs, in words; run files that only one of the two has are left out."""
    both = begun["run_files"].keys() & asked["run_files"].keys()
    pairs = [(key, begun[key], asked[key]) for key in ("first", "trials", "single_task_epochs")]
    pairs += [(name, begun["run_files"][name], asked["run_files"][name]) for name in sorted(both)]
    return [words for key, there, now in pairs for words in _compare(key, there, now)]


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
