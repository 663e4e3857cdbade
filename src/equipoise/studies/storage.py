"""Where candidates are kept: a database, or a journal file whose lock ends with the process that holds it."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from equipoise.config import hide_password
from equipoise.errors import TrainingError
from equipoise.locks import hold

_PAUSES = 0.2, 0.5, 1.0
_PATIENCE = 60.0
"""Seconds in which other workers let go of an SQLite database."""


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
            return _open_database(given)
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


def _open_database(url: str) -> BaseStorage:
    for pause in _PAUSES:
        try:
            return _open(url)
        except Exception as error:  # each kind of database has errors of its own
            # Another worker is making the tables of a new database at the same moment.
            if not any(sign in str(error) for sign in ("already exists", "UNIQUE constraint", "duplicate key")):
                raise
            time.sleep(pause)
    return _open(url)


class _Sqlite(RDBStorage):
    """An SQLite database, in which a candidate is claimed by one statement.

    Optuna reads that it waits, and then writes that it runs; two workers may read at the same moment, since SQLite has
    no `FOR UPDATE`.
    """

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Set a candidate's state, and return whether it could be set."""
        if state is not TrialState.RUNNING:
            return bool(super().set_trial_state_values(trial_id, state, values))
        claim = "UPDATE trials SET state = 'RUNNING', datetime_start = :now WHERE trial_id = :id AND state = 'WAITING'"
        with self.engine.begin() as connection:
            claimed = connection.exec_driver_sql(claim, {"now": str(datetime.now()), "id": trial_id})
        return bool(claimed.rowcount == 1)


def _open(url: str) -> BaseStorage:
    if not url.startswith("sqlite"):
        return get_storage(url)
    return get_storage(_Sqlite(url, engine_kwargs={"connect_args": {"timeout": _PATIENCE}}))


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
