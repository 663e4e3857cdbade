"""Locks between processes: a living process holds one, and it is gone with the process.

The operating system keeps the lock (`flock`), so that a file that a killed process, a move or a reboot leaves behind
locks nothing. The file says who holds it.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from equipoise.errors import TrainingError
from equipoise.files import to_json

from .owners import Owner, name_owner, this_process

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Lies in the folder of a run while a process works in it."""
_SILENT = 3.0
"""Who waits for another process says so after so many seconds."""
_POLL = 0.001, 0.1
"""The first and the longest time between two looks."""


class LockedError(TrainingError):
    """Another process holds a lock."""


class Waiting:
    """Says once, after a few seconds, what is waited for.

    Args:
        what: the sentence to print.
    """

    def __init__(self, what: str) -> None:
        self.what, self._began, self._said = what, time.monotonic(), False

    def look(self, what: str | None = None) -> None:
        """Call again and again while waiting; print the sentence, or another, when it is time."""
        if not self._said and time.monotonic() - self._began > _SILENT:
            self._said = True
            print(what or self.what, file=sys.stderr, flush=True)


@contextmanager
def hold(
    file: Path, what: str, *, wait: bool | float = False, brief: bool = False, remove: bool = False
) -> Iterator[None]:
    """Hold a lock, so that no other process holds it at the same time.

    Args:
        file: the lock's file; its folder must exist.
        what: what is locked, for messages.
        wait: wait for a process that holds it, and say so, or only for so many seconds; else that is an error.
        brief: it is held often, and for moments: nothing is said of one that was left behind.
        remove: remove the file in the end.

    Raises:
        LockedError: another process holds it, and is not waited for; the message says who.
        TrainingError: the file cannot be written.
    """
    lock = FileLock(file)
    try:
        _acquire(lock, file, what, wait)
    except Timeout:
        raise LockedError(f"{what}: {owner_of(file)} is writing here") from None
    except OSError as error:
        raise TrainingError(
            f"{file}: the lock cannot be taken ({error.strerror or error}); expected a folder that can be written, on "
            "a disk that has locks; choose another place."
        ) from None
    # Where the file system has no locks, the file itself is the lock, and filelock's own.
    noted = not isinstance(lock, SoftFileLock)
    try:
        if noted:
            _note(file, what, brief)
        yield
    finally:
        if noted and not brief:
            with suppress(OSError):
                # In this order: a file unlinked after its release may already be another process's lock.
                file.unlink() if remove else os.truncate(file, 0)
        lock.release()


def is_held(file: Path) -> bool:
    """Whether a process holds a lock, without taking it; False where that cannot be told."""
    if fcntl is None:
        return False
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def owner_of(file: Path) -> str:
    """Name the process that holds a lock."""
    owner = _read(file)
    return "another process" if owner is None else name_owner(owner)


def _acquire(lock: FileLock, file: Path, what: str, wait: bool | float) -> None:
    waiting, (pause, longest) = Waiting(what), _POLL
    ends = time.monotonic() + (math.inf if wait is True else wait)
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except Timeout:
            if time.monotonic() >= ends:
                raise
            waiting.look(f"{what}: waits for {owner_of(file)}, which works on it.")
            time.sleep(pause)
            pause = min(2 * pause, longest)


def _note(file: Path, what: str, brief: bool) -> None:
    """Write down who holds the lock; say so if it was left behind."""
    there, here = _read(file), this_process()
    if there is not None and not brief:
        print(f"{what}: {name_owner(there)} has ended and left a lock behind; continuing.", file=sys.stderr, flush=True)
    if there != here:
        with suppress(OSError):
            file.write_text(to_json(here), encoding="utf-8")


def _read(file: Path) -> Owner | None:
    try:
        owner = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) and "process" in owner else None
