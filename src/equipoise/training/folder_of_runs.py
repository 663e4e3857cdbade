"""A folder that holds runs and some files beside them, such as that of experts."""

from collections.abc import Collection
from pathlib import Path

from equipoise.outputs import misplaced

from .run_folder import is_run, run_strangers


def lost_with_runs(folder: Path, files: Collection[str]) -> list[str]:
    """Return what would be lost with the runs in a folder; nothing else is removed.

    Args:
        folder: the folder.
        files: the names of the files beside the runs.
    """
    runs = [path for path in sorted(folder.iterdir()) if is_run(path)]
    inner = [f"{run.name}/{name}" for run in runs for name in run_strangers(run, whole=True)]
    return [*misplaced(folder, files), *inner]


def runs_and_files(folder: Path, files: Collection[str]) -> list[Path]:
    """Return what of a folder is removed when the work in it begins anew.

    Args:
        folder: the folder; it need not exist.
        files: the names of the files beside the runs.
    """
    runs = [path for path in folder.iterdir() if is_run(path)] if folder.exists() else []
    return [*runs, *(folder / name for name in files)]
