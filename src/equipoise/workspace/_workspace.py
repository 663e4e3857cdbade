"""A folder that belongs to one piece of work: whose it is, what may be replaced, and that it continues as the same."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, dump_config
from equipoise.errors import OVERWRITE, TrainingError
from equipoise.files import starts_with, write_json, write_text
from equipoise.locks import hold, is_held, owner_of
from equipoise.outputs import Inputs, OutputKind, check_output
from equipoise.temporaries import remove_folder

from ._inputs import check_same_inputs
from ._locking import lock_folder, make_folder
from ._settings import changed_settings

_LOCKS = ".locks"
CONFIG, DATA = "config.yaml", "data.json"
"""The complete run file that work was started with, and what its data and base model were."""


@dataclass(frozen=True)
class WorkKind:
    """What one command does in its folder.

    Args:
        what: what was started there, for messages: "the run".
        output: how the folder is known, and what may be replaced.
        contents: returns all that the work has written into a folder, in the order of its removal: first what says
            that something is finished, last the file by which the folder is known, so that a kill leaves unfinished
            work and never half of a finished one.
        header: where the work is that of one run file, the first line of its `config.yaml`; see `run_file_output`.
        free: a regular expression; settings of that run file that it matches may differ when the work continues.
    """

    what: str
    output: OutputKind
    contents: Callable[[Path], Iterable[Path]]
    header: str = ""
    free: str = ""


class Workspace:
    """A folder for one piece of work, which can be stopped at any moment and continued.

    Args:
        path: the folder; it need not exist.
        kind: what is done there.
    """

    def __init__(self, path: Path, kind: WorkKind) -> None:
        self.path = path
        self.kind = kind

    @property
    def is_started(self) -> bool:
        """Whether work of this kind was started here."""
        return self.kind.output.is_ours(self.path)

    def check(self, inputs: Inputs) -> bool:
        """Decide whether the work may be done here, and return whether some of its kind lies here.

        Args:
            inputs: what the work reads.

        Raises:
            OutputError: see `equipoise.outputs.check_output`.
        """
        return check_output(self.path, self.kind.output, inputs)

    def lock(self) -> AbstractContextManager[None]:
        """Make and lock the folder, see `lock_folder`."""
        return lock_folder(self.path)

    @contextmanager
    def hold(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold something in this folder, so that no other process does it at the same time.

        Args:
            name: what is held.
            wait: wait for a process that holds it, and say so.

        Raises:
            LockedError: another process holds it, and `wait` is not set.
        """
        locks = self.path / _LOCKS
        make_folder(locks)
        with hold(locks / f"{name.replace('/', '-')}.lock", f"{self.path} ({name})", wait=wait):
            yield

    def who_is_here(self) -> str | None:
        """Name a process that holds something in this folder; None where there is none."""
        held = (owner_of(lock) for lock in sorted((self.path / _LOCKS).glob("*.lock")) if is_held(lock))
        return next(held, None)

    def clear(self) -> None:
        """Remove what the work has written, and nothing else."""
        for path in self.kind.contents(self.path):
            remove_folder(path)

    def refuse_settings(self, changed: str) -> TrainingError:
        """Return the error of work that would continue with other settings.

        Args:
            changed: the settings that differ.
        """
        return TrainingError(
            f"{self.path}: {self.kind.what} was started with other settings ({changed}); continue it unchanged, start "
            f"from scratch with {OVERWRITE}, or {self.kind.output.hint}."
        )


class RunFileWorkspace(Workspace):
    """A workspace of one run file: it holds the complete run file, and what its data and base model were."""

    def check_settings(self, config: RunConfig) -> None:
        """Make sure that a run file is the one that the work was started with.

        Raises:
            TrainingError: it has other settings.
        """
        if changed := changed_settings(config, self.path / CONFIG, self.kind.free):
            raise self.refuse_settings(changed)

    def read_data(self) -> dict[str, Any] | None:
        """Return what `data.json` holds; None where there is none yet."""
        path = self.path / DATA
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write `data.json`."""
        write_json(self.path / DATA, data)

    def write_config(self, config: RunConfig) -> None:
        """Write `config.yaml`, by which the folder is known."""
        write_text(self.path / CONFIG, self.kind.header + dump_config(config))

    def start(self, config: RunConfig, data: Mapping[str, Any], *, restart: bool = False) -> None:
        """Start the work, or make sure that what lies here is the same work and can be continued.

        Args:
            config: the run file.
            data: what it reads (`describe_inputs`), with notes.
            restart: remove what lies here.

        Raises:
            TrainingError: the work that lies here has other settings, other data or another base model.
        """
        if restart:
            self.clear()
        if self.is_started:
            self.check_settings(config)
        else:
            # First, so that a folder in which this is killed is known.
            self.write_config(config)
        then = self.read_data()
        if then is None:
            self.write_data(data)
        else:
            check_same_inputs(self.path, then, data, self.kind.what, self.kind.output.hint)


def run_file_output(
    what: str,
    header: str,
    strangers: Callable[[Path], Collection[str]],
    beside: frozenset[str] = frozenset(),
) -> OutputKind:
    """Return how a folder is known by the header of its `config.yaml`; see `OutputKind` for the rest.

    Args:
        what: what it holds, for messages: "a run".
        header: the first line of `config.yaml`.
        strangers: what lies in such a folder and is not ours.
        beside: names of folders of other commands, which are never touched.
    """
    return OutputKind(what, lambda folder: starts_with(folder / CONFIG, header), strangers, beside)
