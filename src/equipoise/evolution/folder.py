"""The folder of a merge: one line in `merge.jsonl` a finished cell, predictions beside, and who works on what."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, dump_config
from equipoise.errors import TrainingError
from equipoise.files import append_json_line, read_json_lines, starts_with, write_json, write_text
from equipoise.locks import LockedError, Waiting, hold
from equipoise.modeling import model_strangers
from equipoise.outputs import OutputKind, check_output, misplaced
from equipoise.temporaries import clean_leftovers_in, is_leftover_name, remove_folder
from equipoise.training.description import check_same_inputs
from equipoise.training.folder import changed_settings, inputs_of, make_folder

HEADER = "# Written by Equipoise: the run file of this merge, complete.\n"
_JOURNAL, _CONFIG, _LOCKS = "merge.jsonl", "config.yaml", ".locks"
SEARCHES, PREDICTIONS, MODEL = "searches.log", "predictions", "model"
_FILES = (_JOURNAL, "merge.html", "merge.json", SEARCHES, PREDICTIONS, MODEL, "data.json", _LOCKS, _CONFIG)
"""All that a merge writes, in the order of its removal: first what says that something is finished, last the file by
which its folder is known."""
_FOLDERS = (PREDICTIONS, MODEL)
_POLL = 1.0


def _is_ours(folder: Path) -> bool:
    return starts_with(folder / _CONFIG, HEADER)


def _strangers(folder: Path) -> list[str]:
    """Return what would be lost with a merge; only what it writes is removed."""
    files = [name for name in _FILES if name not in (*_FOLDERS, _LOCKS)]
    of_model = model_strangers(folder / MODEL) if (folder / MODEL).is_dir() else []
    scored = [path for path in sorted((folder / PREDICTIONS).rglob("*")) if path.is_symlink() or not path.is_dir()]
    others = [path for path in scored if path.name != "predictions.npz" and not is_leftover_name(path.name)]
    return [
        *misplaced(folder, files, _FOLDERS),
        *(f"{MODEL}/{name}" for name in of_model),
        *(path.relative_to(folder).as_posix() for path in others),
    ]


MERGE_OUTPUT = OutputKind("a merge", _is_ours, _strangers)


class MergeFolder:
    """Where a merge keeps what is finished; several processes may work in it.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, config: RunConfig) -> None:
        """Refuse to touch what is no folder of a merge, or has to do with what the run file reads.

        Raises:
            OutputError: see `equipoise.outputs.check_output`.
        """
        check_output(self.path, MERGE_OUTPUT, inputs_of(config))

    def open(self, config: RunConfig, data: Mapping[str, Any], overwrite: bool) -> None:
        """Begin a merge, or make sure that it is this run file's.

        Args:
            config: the run file.
            data: what its table holds (`describe_inputs`).
            overwrite: remove the merge that lies there.

        Raises:
            TrainingError: the merge that lies there has other settings or other data.
        """
        with self.hold("folder"):
            for place in (self.path, *(self.path / PREDICTIONS).glob("*")):
                clean_leftovers_in(place)
            (self.path / f"{SEARCHES}.lock").unlink(missing_ok=True)  # Optuna's, of an earlier version
            if overwrite:
                for name in _FILES:
                    if name != _LOCKS:
                        remove_folder(self.path / name)
            if not _is_ours(self.path):
                # First the file by which the folder is known: what is killed here goes on.
                write_text(self.path / _CONFIG, HEADER + dump_config(config))
            if changed := changed_settings(config, self.path / _CONFIG, free=r"output"):
                raise TrainingError(
                    f"{self.path}: the merge was begun with other settings ({changed}); go on unchanged, or start anew "
                    "with --overwrite or another `output`."
                )
            if not (self.path / "data.json").exists():
                write_json(self.path / "data.json", data)
            begun = json.loads((self.path / "data.json").read_text(encoding="utf-8"))
            check_same_inputs(self.path, begun, data, "the merge")

    @property
    def cells(self) -> dict[str, dict[str, Any]]:
        """What is finished, by name."""
        return {line["cell"]: line for line in read_json_lines(self.path / _JOURNAL)}

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

    @contextmanager
    def hold(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold something in this folder, so that no other process does it at the same time.

        Raises:
            LockedError: another process holds it, and `wait` is not set.
        """
        locks = self.path / _LOCKS
        make_folder(locks)
        with hold(locks / f"{name.replace('/', '-')}.lock", f"{self.path} ({name})", wait=wait):
            yield

    def _add(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> None:
        began = time.monotonic()
        found = dict(compute())
        line = {"cell": name, **found, "seconds": round(time.monotonic() - began, 1)}
        with self.hold("journal"):
            append_json_line(self.path / _JOURNAL, line)
