"""Where candidates are kept: a database, or a journal file whose lock ends with the process that holds it."""

import os
from contextlib import ExitStack
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from equipoise.config import hide_password
from equipoise.errors import TrainingError
from equipoise.locks import hold


def open_storage(given: str, key: str) -> BaseStorage:
    """Open where candidates are kept.

    Args:
        given: an Optuna storage URL, such as `sqlite:///search.db` or `postgresql://…`, or the path of a journal file.
        key: what messages call the setting that names it, such as "merge.storage".

    Raises:
        TrainingError: it cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if "://" in given:
            return get_storage(given)
        return JournalStorage(_open_journal(Path(given)))
    except TrainingError:
        raise
    except Exception as error:  # each kind of storage has errors of its own
        reason = hide_password(str(error).strip().splitlines()[0]) if str(error).strip() else type(error).__name__
        raise TrainingError(
            f"{key}: '{hide_password(given)}' cannot be reached ({reason}); expected an Optuna storage URL, "
            "such as sqlite:////folder/search.db or postgresql://user:password@host/name; correct it, or leave it out "
            "for a file in the output folder."
        ) from None


def forget(storage: BaseStorage, name: str) -> None:
    """Remove a search and its candidates from a storage, if it is there."""
    if name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)


class _JournalLock(JournalFileOpenLock):
    """Optuna's own locks are files that outlive a killed process, and hang where they were moved."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self._file, self._held = file, ExitStack()

    def acquire(self) -> bool:
        lock = self._file.with_name(f".{self._file.name}.lock")
        self._held.enter_context(hold(lock, str(self._file), wait=True, brief=True))
        return True

    def release(self) -> None:
        self._held.close()


def _open_journal(file: Path) -> JournalFileBackend:
    lock = _JournalLock(file)
    if file.exists():
        lock.acquire()
        try:
            _cut_last_line(file)
        finally:
            lock.release()
    return JournalFileBackend(str(file), lock)


def _cut_last_line(file: Path) -> None:
    """Remove a last line that a killed process has written in part: Optuna could not read what comes after it."""
    with file.open("r+b") as journal:
        end = journal.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            journal.seek(start)
            block = journal.read(end - start)
            if b"\n" in block:
                journal.truncate(start + block.rindex(b"\n") + 1)
                return
            end = start
        journal.truncate(0)
