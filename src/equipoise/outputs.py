"""What a command may write to, and what it may replace: decided here, for every command that has an output."""

import errno
import json
import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.errors import OutputError, UsageError
from equipoise.files import LONGEST_NAME, check_writable

Inputs = Iterable[tuple[str, Path]]
"""What a command reads: how the user named it, such as `sources.reviews.path`, and where it lies."""

_TABLES = (".csv", ".tsv", ".parquet", ".xlsx")
"""Endings of files that hold no JSON."""
_LONGEST_LINE = 50_000_000
"""Bytes by which a file is known to be ours, at most."""
_FIRST_LINES = 10_000
"""Lines by which a file is known to be ours, at most: so many may hold an error in the place of an answer."""
_LONGEST_PATH = 3500
"""Bytes of an output folder's path, at most: with what is written in it, systems bear 4,096."""


@dataclass(frozen=True)
class OutputKind:
    """What a folder that a command writes looks like.

    Args:
        what: what it holds, as a message says it: "a run".
        is_ours: whether a folder carries the mark of this kind.
        strangers: what lies in a marked folder, is not ours, and would be lost with it, as paths below it.
        beside: names of folders that may stand in it, belong to other commands, and are never touched.
        hint: the way out, as a message says it.
        whole: the folder is replaced as a whole, with what begins with a dot; else single files in it are.
    """

    what: str
    is_ours: Callable[[Path], bool]
    strangers: Callable[[Path], Collection[str]]
    beside: frozenset[str] = frozenset()
    hint: str = "choose another `output`"
    whole: bool = False


def check_output(folder: Path, kind: OutputKind, inputs: Inputs = ()) -> bool:
    """Decide whether a command may write a folder, and replace what lies there.

    It may if the folder does not exist or is empty, or carries the kind's mark and holds nothing else. It never may
    where the folder is, holds, or lies in something that the command reads. That holds with `overwrite`, too.

    Args:
        folder: the folder to write.
        kind: what the command writes.
        inputs: what it reads.

    Returns:
        Whether something of this kind lies there.

    Raises:
        OutputError: the folder may not be written; the message names what is in the way.
    """
    check_place(folder, kind.hint)
    check_apart(folder, inputs, kind.hint)
    if not folder.exists():
        return False
    present = sorted(path.name for path in folder.iterdir() if path.name not in kind.beside)
    ours = kind.is_ours(folder)
    others = list(kind.strangers(folder)) if ours else [name for name in present if kind.whole or name[0] != "."]
    if others:
        more = ", …" if len(others) > 3 else ""
        raise OutputError(
            f"{folder}: the output folder holds other files ({', '.join(others[:3])}{more}), expected none or "
            f"{kind.what}; nothing was changed; {kind.hint}."
        )
    return ours


def misplaced(folder: Path, files: Iterable[str], folders: Iterable[str] = ()) -> list[str]:
    """Return the names of ours under which something else lies: a folder where we write a file, a file where a folder.

    Args:
        folder: the folder that a command writes.
        files: names of files that it writes there.
        folders: names of folders that it writes there.
    """
    taken = [name for name in files if (folder / name).is_dir() and not (folder / name).is_symlink()]
    return sorted([*taken, *(name for name in folders if (folder / name).exists() and not (folder / name).is_dir())])


def holds_predictions(file: Path) -> bool:
    """Whether a file begins with lines that `equipoise predict` writes: objects, the first good one with an answer."""
    with file.open("rb") as content:
        for _ in range(_FIRST_LINES):
            answers = _as_json(content.readline(_LONGEST_LINE))
            if not isinstance(answers, dict):
                return False
            if any(map(_is_answer, answers.values())):
                return True
            if not isinstance(answers.get("error"), str):
                return False
    return False


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"label", "labels", "score", "text"})


def holds_metrics(file: Path) -> bool:
    """Whether a file holds what `equipoise evaluate` writes: a list of metrics."""
    with file.open("rb") as content:
        records = _as_json(content.read(_LONGEST_LINE))
    return isinstance(records, list) and all(
        isinstance(record, dict) and record.keys() >= {"task", "metric", "value"} for record in records
    )


def _as_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def check_output_file(
    file: Path,
    inputs: Inputs = (),
    is_ours: Callable[[Path], bool] | None = None,
    what: str = "JSON of an earlier call",
) -> None:
    """Decide whether a command may write a file of JSON, and replace what lies there.

    It may if there is no file, an empty one, or one that begins as JSON does. It never may where the file is something
    that the command reads, or belongs to a folder that it reads.

    Args:
        file: the file to write.
        inputs: what the command reads.
        is_ours: whether a file that lies there holds what the command writes.
        what: what that is, for messages.

    Raises:
        OutputError: the file may not be written.
        UsageError: its name ends as that of a table does; also see `equipoise.files.check_writable`.
    """
    hint = "choose another file"
    check_writable(file)
    check_apart(file, inputs, hint)
    if file.exists():
        with file.open("rb") as content:
            start = content.read(1)
        if start not in (b"", b"{", b"["):
            raise OutputError(
                f"{file}: found a file that is no JSON, expected none, or one of an earlier call; nothing was changed; "
                f"{hint}, or remove it."
            )
        if start and is_ours is not None and not is_ours(file):
            raise OutputError(
                f"{file}: found a file that does not hold {what}, expected none, an empty one, or {what}; nothing was "
                f"changed; {hint}, or remove it."
            )
    if file.suffix.lower() in _TABLES:
        raise UsageError(f"{file}: found the ending {file.suffix}, expected .jsonl or .json: what is written is JSON.")


def check_place(folder: Path, hint: str = "choose another `output`") -> None:
    """Make sure that a folder can be made, or is one.

    Raises:
        OutputError: it is a file, lies below a file or in a folder that cannot be written, or its path cannot be used.
    """
    try:
        whole, name = len(os.fsencode(folder.absolute())), len(os.fsencode(folder.name))
        if whole > _LONGEST_PATH or name > LONGEST_NAME:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(folder)  # unlike pathlib, it says what is wrong with a path
        for path in (folder, *folder.absolute().parents):
            if path.is_dir():
                if not os.access(path, os.W_OK | os.X_OK):
                    raise OutputError(f"{path}: the output's folder cannot be written; {hint}.")
                return
            if path.exists() or path.is_symlink():
                what = "something else" if path.exists() else "a link that leads to nothing"
                what = "a file" if path.is_file() else what
                raise OutputError(f"{path}: found {what}, expected a folder; {hint}.")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise OutputError(f"{str(folder)[:120]!r}: the output cannot be used ({reason}); {hint}.") from None


def check_apart(output: Path, inputs: Inputs, hint: str = "choose another `output`") -> None:
    """Refuse an output that is, holds, or lies in what a command reads.

    Raises:
        OutputError: it does; the message names the input.
    """
    # Unlike pathlib, os.path passes over links that lead back to themselves and names that are too long.
    place = Path(os.path.realpath(output))
    for name, path in inputs:
        read = Path(os.path.realpath(path))
        if read == place or (os.path.exists(read) and os.path.exists(place) and read.samefile(place)):
            how = "is"
        elif read.is_relative_to(place):
            how = "holds"
        elif place.is_relative_to(read) and os.path.isdir(read):
            how = "lies in"
        else:
            continue
        raise OutputError(f"{output}: the output {how} the input {name} ({path}); nothing was changed; {hint}.")
