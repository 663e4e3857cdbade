"""What is proposed for files: sources, tasks and settings, each with why; and the run file that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import OVERWRITE, OutputError, UsageError
from equipoise.files import check_writable, read_bytes, write_text
from equipoise.outputs import check_apart

from .rendering import render

if TYPE_CHECKING:
    from equipoise.config import RunConfig


@dataclass(frozen=True)
class Alternative:
    """Something that stands as a comment in the run file, to be taken instead of what is proposed, or beside it.

    Args:
        keys: keys of the run file, with values.
        why: a few words.
        name: what the task is called, where it is one.
    """

    keys: Mapping[str, Any]
    why: str
    name: str = ""


@dataclass(frozen=True)
class ProposedSource:
    """A source of the run file.

    Args:
        name: its name.
        keys: its keys, as the run file has them.
        why: by key a few words.
        rows: how many rows its files have, about as many where they are large.
        encoding: of its files; "" for those that have none.
        alternatives: further keys, which stand as comments.
        inputs: the files, or what the tables in memory are called.
    """

    name: str
    keys: Mapping[str, Any]
    why: Mapping[str, str]
    rows: int
    encoding: str = ""
    alternatives: Sequence[Alternative] = ()
    inputs: Sequence[str] = ()


@dataclass(frozen=True)
class ProposedTask:
    """A task of the run file.

    Args:
        name: its name.
        keys: its keys, as the run file has them.
        why: a few words.
        fit: how sure it is, from 0.5 to 1.
        alternatives: what else it may be, or may have; each stands as a comment.
    """

    name: str
    keys: Mapping[str, Any]
    why: str
    fit: float
    alternatives: Sequence[Alternative] = ()

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.keys["kind"])


@dataclass(frozen=True)
class Setting:
    """A key beside sources and tasks, such as `max_length`.

    Args:
        key: the key.
        value: its value.
        why: a few words.
        active: whether it counts; else it stands as a comment.
    """

    key: str
    value: Any
    why: str = ""
    active: bool = True


@dataclass(frozen=True)
class Proposal:
    """A run file for files or tables, and why it is as it is.

    Args:
        sources: the sources.
        tasks: the tasks, in the order of the run file.
        doubtful: tasks that stand as comments.
        settings: the other keys.
        notes: what cannot be used, and what to look at: plain sentences.
        fault: what must be mended in the files before a run can start; "" for nothing.
        folder: the folder from which its paths start.
    """

    sources: Sequence[ProposedSource]
    tasks: Sequence[ProposedTask]
    doubtful: Sequence[Alternative] = ()
    settings: Sequence[Setting] = ()
    notes: Sequence[str] = ()
    fault: str = ""
    folder: Path = field(default_factory=Path)

    @property
    def text(self) -> str:
        """The run file: YAML, with a comment for what was found."""
        return render(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what the run file holds, as plain data."""
        settings = {setting.key: setting.value for setting in self.settings if setting.active}
        return {
            **settings,
            "sources": {source.name: dict(source.keys) for source in self.sources},
            "tasks": {task.name: dict(task.keys) for task in self.tasks},
        }

    def for_tables(self) -> dict[str, Any]:
        """Return what the run file holds without the files, for tables in memory.

        Example:
            >>> from equipoise import propose
            >>> rows = [{"text": "Good film.", "label": "a"}, {"text": "A bad one!", "label": "b"}] * 20
            >>> propose(rows).for_tables()["tasks"]["data"]["classes"]  # for equipoise.train(rows, settings=…)
            ['a', 'b']
        """
        data = self.to_dict()
        files = ("path", "train", "dev", "test")
        data["sources"] = {
            name: {key: value for key, value in keys.items() if key not in files}
            for name, keys in data["sources"].items()
        }
        return data

    def config(self) -> "RunConfig":
        """Return the run file as it is checked when a run reads it, paths absolute.

        Raises:
            UsageError: a variable or a path in it cannot be resolved.
        """
        from equipoise.config import make_config, parse_yaml

        return make_config(parse_yaml(self.text, "proposal"), "proposal", self.folder)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the run file; its paths start in its folder, which must be `folder`.

        Args:
            path: the file to write.
            overwrite: replace a file that lies there.

        Returns:
            The path.

        Raises:
            OutputError: something lies there and `overwrite` is not set, or it is one of the inputs.
        """
        path = Path(path)
        check_place(path, overwrite=overwrite)
        read = [
            (f"sources.{name}", file)
            for name, source in self.config().sources.items()
            for files in source.paths().values()
            for file in files
        ]
        check_apart(path, read, "choose another file (-o)")
        write_text(path, self.text)
        return path


def check_place(path: Path, *, overwrite: bool) -> None:
    """Decide whether a run file may be written: there is none, or one that may be replaced.

    Args:
        path: the file to write.
        overwrite: a run file that lies there may be replaced; another file never is.

    Raises:
        OutputError: something lies there.
        UsageError: it cannot be written.
    """
    check_writable(path)
    if not path.exists() or not path.stat().st_size:
        return
    if not overwrite:
        raise OutputError(
            f"{path}: found a file, expected none; nothing was changed. Choose another one (-o), or replace it with "
            f"{OVERWRITE}."
        )
    if not _is_run_file(path):
        raise OutputError(
            f"{path}: found a file that is no run file, expected none, or a run file; nothing was changed. Choose "
            "another one (-o), or remove it."
        )


def _is_run_file(path: Path) -> bool:
    from equipoise.config import RUN_FILE_LIMIT, parse_yaml

    try:
        found = parse_yaml(read_bytes(path, RUN_FILE_LIMIT, UsageError).decode(), str(path))
    except (UsageError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and {"sources", "tasks"} <= found.keys()
