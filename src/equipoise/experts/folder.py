"""The folder of a run file's experts: whose it is, and one line in `experts.jsonl` a scored model."""

import json
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, dump_config
from equipoise.files import append_json_line, read_json_lines, starts_with, write_json, write_text
from equipoise.outputs import OutputKind, misplaced
from equipoise.temporaries import remove_folder
from equipoise.training.description import check_same_inputs
from equipoise.training.folder import check_same, is_run, run_strangers

HEADER = "# Written by Equipoise: the run file of these experts, complete.\n"
_JOURNAL, _CONFIG = "experts.jsonl", "config.yaml"
_FILES = ("experts.html", _JOURNAL, "data.json", _CONFIG)
"""All that stands beside the experts' folders; the file by which the folder is known comes last."""


def _strangers(folder: Path) -> list[str]:
    """Return what would be lost with the experts' runs; nothing else is removed."""
    runs = [path for path in sorted(folder.iterdir()) if is_run(path)]
    inner = [f"{run.name}/{name}" for run in runs for name in run_strangers(run, whole=True)]
    return [*misplaced(folder, _FILES), *inner]


def _is_ours(folder: Path) -> bool:
    return starts_with(folder / _CONFIG, HEADER)


EXPERTS_OUTPUT = OutputKind("experts", _is_ours, _strangers)
"""What `equipoise experts` writes, and may replace."""


def open_folder(folder: Path, config: RunConfig, data: dict[str, Any], overwrite: bool) -> None:
    """Begin a folder of experts, or make sure that it is this run file's.

    Args:
        folder: the folder.
        config: the run file.
        data: what its experts learn from (`describe_inputs`), with notes.
        overwrite: remove the experts that lie there.

    Raises:
        TrainingError: the experts that lie there have other settings or other data.
    """
    if overwrite and folder.exists():
        # Nothing is removed but runs, and what stands beside them.
        for run in [path for path in folder.iterdir() if is_run(path)]:
            remove_folder(run)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
    begun = folder / "data.json"
    if _is_ours(folder):
        check_same(config, folder)
    if begun.exists():
        check_same_inputs(folder, json.loads(begun.read_text(encoding="utf-8")), data, "the first expert")
    # First the file by which the folder is known. Anew each time: groups may have changed.
    write_text(folder / _CONFIG, HEADER + dump_config(config))
    if not begun.exists():
        write_json(begun, data)


def read_records(folder: Path) -> dict[str | None, dict[str, Any]]:
    """Return the last record of every scored expert by its task, None for the base."""
    return {record["expert"]: record for record in read_json_lines(folder / _JOURNAL)}


def append_record(folder: Path, record: dict[str, Any]) -> None:
    """Append the record of a scored model."""
    append_json_line(folder / _JOURNAL, record)
