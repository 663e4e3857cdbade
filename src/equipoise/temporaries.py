"""Temporary files and folders beside what they become; those of killed processes are found and removed.

`.NAME.WHAT.PROCESS-RANDOM` lies beside NAME. WHAT is `tmp`, a file that becomes NAME; `new`, a folder that does; `old`,
which holds the folder that is being replaced; or `gone`, a folder that is being removed. Its process holds a lock on it
(`flock`), which ends with the process: one that nobody locks is a leftover.
"""

import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # without such locks nothing is known to be a leftover, and nothing is removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.(?P<name>.+)\.(?P<what>tmp|new|old|gone)\.(?P<token>\d+-[0-9a-f]{8})")


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside a path; it is removed in the end, unless it has been renamed."""
    with _temporary(path, "tmp") as temporary:
        yield temporary


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside a path; it is removed in the end, unless it has been renamed."""
    with _temporary(path, "new") as temporary:
        yield temporary


def is_temporary(folder: Path) -> bool:
    """Whether a folder is one that `temporary_folder` has yielded."""
    match = _NAME.fullmatch(folder.name)
    return match is not None and match["what"] == "new"


def is_leftover_name(name: str) -> bool:
    """Whether a name is one that is given to temporary files and folders, here or by safetensors."""
    return _NAME.fullmatch(name) is not None or re.fullmatch(r"\.tmp\w{6}", name) is not None


def follow_umask(folder: Path) -> None:
    """Give the files in a folder that was just made the mode of new files: safetensors writes for the owner alone."""
    mode = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)


def move_in(temporary: Path, folder: Path) -> None:
    """Let a temporary folder take the place of a folder. After a kill, `clean_leftovers` puts back what lay there."""
    if not folder.exists():
        os.replace(temporary, folder)
        return
    token = _parse(temporary.name)["token"]
    with _temporary(folder, "old", token) as outgoing:
        os.replace(folder, outgoing / folder.name)
        try:
            os.replace(temporary, folder)
        except OSError:
            os.replace(outgoing / folder.name, folder)
            raise


def remove_folder(folder: Path) -> None:
    """Remove a folder, if there is one: at once, so that a kill leaves the whole of it or none."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    with _temporary(folder, "gone") as gone:
        os.replace(folder, gone / folder.name)


def clean_leftovers(path: Path) -> None:
    """Remove what killed processes have left beside a path that they were about to write.

    A folder that was moved away to be replaced, and was not, is put back.
    """
    _clean(path.parent, path.name)


def clean_leftovers_in(folder: Path) -> None:
    """Remove what killed processes have left in a folder, whatever they were about to write there."""
    _clean(folder, None)


@contextmanager
def _temporary(path: Path, what: str, token: str | None = None) -> Iterator[Path]:
    handle = None
    while handle is None:
        own = token or f"{os.getpid()}-{secrets.token_hex(4)}"
        temporary = path.with_name(f".{path.name}.{what}.{own}")
        if what == "tmp":
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        else:
            temporary.mkdir()
        # Before the lock another process may have taken it for a leftover.
        handle = _lock(temporary)
    try:
        yield temporary
    except BaseException:
        # What was moved away and could not be moved back is kept.
        if not (what == "old" and (temporary / path.name).exists()):
            _remove(temporary)
        raise
    else:
        _remove(temporary)
    finally:
        if handle >= 0:
            os.close(handle)


def _lock(path: Path) -> int | None:
    """Lock a file or folder: return what holds the lock, -1 where the file system has none, None if it is gone."""
    if fcntl is None:
        return -1
    try:
        handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError:
        return -1
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.stat(path), os.fstat(handle)):
            return handle
    except FileNotFoundError:
        pass
    except BlockingIOError:
        pass  # another process is about to remove it
    except OSError:
        os.close(handle)
        return -1
    os.close(handle)
    return None


def _clean(folder: Path, name: str | None) -> None:
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    leftovers = [(path, match) for path in names if (match := _NAME.fullmatch(path)) and name in (None, match["name"])]
    # First what may be put back.
    for path, match in sorted(leftovers, key=lambda one: one[1]["what"] != "old"):
        with suppress(OSError):
            _clean_one(folder / path, match)


def _clean_one(path: Path, match: re.Match[str]) -> None:
    mode = os.lstat(path).st_mode
    if not (stat.S_ISREG(mode) if match["what"] == "tmp" else stat.S_ISDIR(mode)):
        return
    handle = _lock(path)
    if handle is None or handle < 0:
        return
    try:
        target = path.with_name(match["name"])
        twin = {"old": "new", "new": "old"}.get(match["what"])
        unclear = twin is not None and os.path.lexists(path.with_name(f".{match['name']}.{twin}.{match['token']}"))
        if match["what"] == "old" and os.path.lexists(path / target.name):
            if not os.path.lexists(target):
                os.replace(path / target.name, target)
                print(f"{target}: put back, after a process was killed that replaced it.", file=sys.stderr, flush=True)
            elif unclear:
                # Neither was it put back, nor has the new one taken its place: somebody has made another.
                return
        elif match["what"] == "new" and unclear:
            return
        _remove(path)
    finally:
        os.close(handle)


def _parse(name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name)
    assert match is not None  # we have named it
    return match


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
