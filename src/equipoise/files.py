"""Writing files and folders completely or not at all."""

import errno
import json
import math
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from equipoise.errors import DataError, EquipoiseError, UsageError
from equipoise.temporaries import clean_leftovers, follow_umask, is_temporary, move_in, temporary_file, temporary_folder

LONGEST_NAME = 200
"""Bytes of the name of a file or folder to write, at most: a temporary name adds to it, and systems bear 255."""
JSON_LIMIT = 10_000_000
"""Bytes of a JSON file of ours, at most."""


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, UTF-8, under a temporary name, then rename it."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file under a temporary name, then rename it."""
    path = Path(path).resolve()
    clean_leftovers(path)
    with temporary_file(path) as temporary:
        temporary.write_bytes(data)
        os.replace(temporary, path)


def to_json(data: Any, indent: int | None = None) -> str:
    """Return strict JSON (RFC 8259): NaN and infinities, which it does not have, become null.

    Args:
        data: what to write.
        indent: spaces a level; None writes one line.
    """
    try:
        return json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite_or_null(data), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite_or_null(data: Any) -> Any:
    """Return data as strict JSON holds it: None in the place of every number that is not finite."""
    if isinstance(data, dict):
        return {key: _finite_or_null(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite_or_null(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def write_json(path: str | Path, data: Any) -> None:
    """Write JSON, indented, under a temporary name, then rename it."""
    write_text(path, to_json(data, indent=2) + "\n")


def append_json_line(path: str | Path, data: Any) -> None:
    """Append one line of JSON, and see it on the disk before returning; a line cut short before it is removed."""
    line = (to_json(data) + "\n").encode()
    with Path(path).open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_json_lines(path: str | Path) -> list[Any]:
    """Return what `append_json_line` wrote, nothing where there is no file; a line cut short is passed over."""
    path = Path(path)
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def check_readable(
    path: str | Path, at_most: int | None = None, error: type[EquipoiseError] = DataError
) -> os.stat_result:
    """Make sure that a path is an ordinary file that can be read, without opening it: a pipe or a device would block.

    Args:
        path: the file; symbolic links are followed.
        at_most: the most bytes it may have.
        error: what is raised.

    Returns:
        What the system tells of the file: its size, when it was changed.

    Raises:
        EquipoiseError: there is no such file, it is a folder, a pipe or a device, it is unreadable or too large.
    """
    try:
        status = os.stat(path)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise error(f"{path}: found a symbolic link that leads back to itself, expected a file.") from None
        raise error(f"{path}: cannot be read ({problem.strerror}).") from None
    except ValueError:  # a null character, or a lone surrogate
        raise error(f"{path}: found characters that no path can have, expected the name of a file.") from None
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path}: found {_kind_of_file(status.st_mode)}, expected an ordinary file.")
    if not os.access(path, os.R_OK):
        raise error(f"{path}: cannot be read ({os.strerror(errno.EACCES)}).")
    if at_most is not None and status.st_size > at_most:
        raise error(f"{path}: found {status.st_size:,} bytes, expected {at_most:,} at most; is it another file?")
    return status


def read_bytes(path: str | Path, at_most: int, error: type[EquipoiseError] = DataError) -> bytes:
    """Read an ordinary file of at most that many bytes.

    Args:
        path: the file.
        at_most: the most bytes it may have.
        error: what is raised.

    Raises:
        EquipoiseError: as `check_readable`, which also says what the arguments are; or reading fails.
    """
    check_readable(path, at_most, error)
    try:
        with open(path, "rb") as file:
            content = file.read(at_most + 1)  # a file that grows, or says it is empty (/proc), ends here as well
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}).") from None
    if len(content) > at_most:
        raise error(f"{path}: found more than {at_most:,} bytes, expected {at_most:,} at most; is it another file?")
    return content


def _kind_of_file(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def starts_with(path: Path, header: str) -> bool:
    """Whether a text file begins with a header, by which we know what we wrote."""
    expected = header.encode()
    try:
        with path.open("rb") as file:
            return file.read(len(expected)) == expected
    except OSError:
        return False


def check_writable(path: str | Path) -> None:
    """Make sure that a file can be written, before the work that fills it.

    Whether a file that lies there may be replaced is for `equipoise.outputs.check_output_file` to say.

    Raises:
        UsageError: its folder does not exist or cannot be written, or the path is no ordinary file.
    """
    path = Path(path)
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)  # unlike pathlib, it says what is wrong with a path
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: cannot be written ({reason}); choose another file.") from None
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no ordinary file"
        raise UsageError(f"{path}: found {what}, expected the name of a file to write.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: found no folder {path.parent}; make it, or choose another file.")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path}: the folder {path.parent} cannot be written; choose another file.")


@contextmanager
def replace_folder(folder: str | Path, check: Callable[[], object] = lambda: None) -> Iterator[Path]:
    """Yield a temporary folder beside `folder` that takes its place when the block ends without an error.

    What lies there is removed: call `equipoise.outputs.check_output` first, which says whether it may be.

    Args:
        folder: the folder to write.
        check: is called right before, and raises where the folder may no longer be replaced: another process may have
            written it in the meantime.
    """
    # Where a link leads, the folder that it leads to is replaced; "." has no name of its own.
    folder = Path(folder).resolve()
    if is_temporary(folder):
        # A model that is written as part of a folder that will take its place as a whole.
        yield folder
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    clean_leftovers(folder)
    with temporary_folder(folder) as temporary:
        yield temporary
        follow_umask(temporary)
        check()
        move_in(temporary, folder)
