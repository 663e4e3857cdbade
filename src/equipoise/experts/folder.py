"""The folder of a run file's experts: whose it is, and one line in `experts.jsonl` a scored model."""

import json
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, dump_config
from equipoise.errors import TrainingError
from equipoise.files import append_json_line, read_json_lines, write_json, write_text
from equipoise.temporaries import remove_folder
from equipoise.training.folder import check_same, is_run

HEADER = "# Written by Equipoise: the run file of these experts, complete.\n"
_JOURNAL, _CONFIG = "experts.jsonl", "config.yaml"
_FILES = ("experts.html", _JOURNAL, "data.json", _CONFIG)
"""All that stands beside the experts' folders; the file by which the folder is known comes last."""


def check_output(folder: Path) -> None:
    """Refuse to touch what is no folder of experts.

    Raises:
        TrainingError: it is a file, or holds something else.
    """
    for path in (folder.parent, folder):
        if path.exists() and not path.is_dir():
            raise TrainingError(f"{path}: found a file, expected a folder; choose another `output`.")
    found = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.exists() else []
    if found and not _is_ours(folder):
        raise TrainingError(
            f"{folder}: the folder of the experts holds other files ({', '.join(found[:3])}), expected none or "
            "experts; choose another `output`."
        )


def open_folder(folder: Path, config: RunConfig, data: dict[str, Any], overwrite: bool) -> None:
    """Begin a folder of experts, or make sure that it is this run file's.

    Args:
        folder: the folder.
        config: the run file.
        data: what its table holds (`describe_table`), with notes.
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
        then = json.loads(begun.read_text(encoding="utf-8"))
        if then["fingerprint"] != data["fingerprint"]:
            raise TrainingError(
                f"{folder}: the data changed since the first expert was begun (rows then {then['rows']}, now "
                f"{data['rows']}); put the files back, or start anew with --overwrite or another `output`."
            )
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


def _is_ours(folder: Path) -> bool:
    try:
        return (folder / _CONFIG).read_text(encoding="utf-8").startswith(HEADER)
    except (OSError, UnicodeDecodeError):
        return False
