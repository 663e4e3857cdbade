"""The folder of a merge: one line in `merge.jsonl` a finished cell, predictions beside, and who works on what."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig
from equipoise.locks import LockedError, Waiting
from equipoise.modeling import model_strangers
from equipoise.outputs import misplaced
from equipoise.temporaries import clean_leftovers_in, is_leftover_name
from equipoise.workspace import CONFIG, DATA, Journal, RunFileWorkspace, WorkKind, run_file_output

HEADER = "# Written by Equipoise: the run file of this merge, complete.\n"
_JOURNAL = "merge.jsonl"
SEARCHES, PREDICTIONS, MODEL = "searches.log", "predictions", "model"
_FILES = (_JOURNAL, "merge.html", "merge.json", SEARCHES, PREDICTIONS, MODEL, DATA, CONFIG)
"""All that a merge writes but its locks, in the order of its removal: first what says that something is finished, last
the file by which its folder is known."""
_FOLDERS = (PREDICTIONS, MODEL)
_POLL = 1.0


def _strangers(folder: Path) -> list[str]:
    """Return what would be lost with a merge; only what it writes is removed."""
    files = [name for name in _FILES if name not in _FOLDERS]
    of_model = model_strangers(folder / MODEL) if (folder / MODEL).is_dir() else []
    scored = [path for path in sorted((folder / PREDICTIONS).rglob("*")) if path.is_symlink() or not path.is_dir()]
    others = [path for path in scored if path.name != "predictions.npz" and not is_leftover_name(path.name)]
    return [
        *misplaced(folder, files, _FOLDERS),
        *(f"{MODEL}/{name}" for name in of_model),
        *(path.relative_to(folder).as_posix() for path in others),
    ]


MERGE_OUTPUT = run_file_output("a merge", HEADER, _strangers)
"""How the folder of a merge is known, and what may be replaced in it."""
_MERGE = WorkKind("the merge", MERGE_OUTPUT, lambda folder: [folder / name for name in _FILES], HEADER, free="output")


class MergeFolder(RunFileWorkspace):
    """Where a merge keeps what is finished; several processes may work in it.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MERGE)
        self._journal: Journal[str, dict[str, Any]] = Journal(path / _JOURNAL, "cell")

    def start(self, config: RunConfig, data: Mapping[str, Any], *, restart: bool = False) -> None:
        """Start a merge, or make sure that the one that lies here is this run file's; see `RunFileWorkspace`."""
        with self.hold("folder"):
            for place in (self.path, *(self.path / PREDICTIONS).glob("*")):
                clean_leftovers_in(place)
            (self.path / f"{SEARCHES}.lock").unlink(missing_ok=True)  # Optuna's, of an earlier version
            super().start(config, data, restart=restart)

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """What is finished, by name."""
        return self._journal.read()

    def cell(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return a finished cell, computing it if nobody has; where another process is at it, wait for it."""
        if name not in self.cells:
            with self.hold(name):
                if name not in self.cells:
                    self._add(name, compute)
        return self.cells[name]

    def all_cells(self, work: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
        """Compute cells that are not finished; several processes share them out."""
        others = Waiting("")
        while waiting := [name for name in work if name not in self.cells]:
            busy = []
            for name in waiting:
                try:
                    with self.hold(name, wait=False):
                        if name not in self.cells:
                            self._add(name, work[name])
                except LockedError as error:
                    busy.append(str(error))
            if len(busy) == len(waiting):
                others.look(f"{busy[0]}; waits for it.")
                time.sleep(_POLL)

    def _add(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> None:
        began = time.monotonic()
        found = dict(compute())
        line = {"cell": name, **found, "seconds": round(time.monotonic() - began, 1)}
        with self.hold("journal"):
            self._journal.append(line)
