"""One training in a fresh process, watched from here."""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from equipoise.child_processes import end_with_parent
from equipoise.errors import EquipoiseError
from equipoise.kinds import Kind, list_kinds, register

from .plan import Cell

_CONTEXT: Any = multiprocessing.get_context("spawn")


class RunningCell:
    """A cell that is being trained.

    What it would print goes to a file beside its folder, `SEED.log`, which is removed if all goes well.

    Args:
        cell: the cell.
        threads: how many threads it may use.
        restart: discard what an earlier try has left, instead of continuing it.
    """

    def __init__(self, cell: Cell, threads: int, restart: bool) -> None:
        self.cell = cell
        self._log = cell.config.output.with_name(cell.config.output.name + ".log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._receiver, sender = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(
            target=_train,
            args=(list(list_kinds().values()), cell, self._log, threads, restart, sender),
            name=cell.key,
            daemon=True,
        )
        with _ignoring_interrupts():
            self._process.start()
        sender.close()

    @property
    def sentinel(self) -> int:
        """What becomes ready when the process ends."""
        return int(self._process.sentinel)

    def is_alive(self) -> bool:
        """Whether it is still running."""
        return bool(self._process.is_alive())

    def steps_done(self) -> int:
        """Return the steps taken so far, by its log."""
        try:
            with (self.cell.config.output / "log.jsonl").open("rb") as lines:
                return sum(b'"losses"' in line for line in lines)
        except OSError:
            return 0

    def failure(self) -> str | None:
        """Return why the process that has ended failed; None if it did not."""
        self._process.join()
        if self._process.exitcode == 0:
            self._log.unlink(missing_ok=True)
            return None
        try:
            return str(self._receiver.recv())
        except EOFError:
            killed = " (killed, maybe for want of memory)" if self._process.exitcode == -9 else ""
            return f"its process ended with exit code {self._process.exitcode}{killed}; {self._log} holds its output."

    def stop(self) -> None:
        """Ask it to save a checkpoint and end."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.join()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let a process that starts here ignore Ctrl-C, which reaches all of a terminal's: it is told to stop instead."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _train(kinds: Sequence[Kind], cell: Cell, log: Path, threads: int, restart: bool, sender: Connection) -> None:
    for kind in kinds:
        register(kind)
    end_with_parent()
    with log.open("ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        import torch

        from equipoise.training import run_prompted, train

        torch.set_num_threads(min(threads, torch.get_num_threads()))
        if cell.baseline:
            run_prompted(cell.config, cell.baseline)
        else:
            train(cell.config, resume=not restart, overwrite=restart)
    except EquipoiseError as error:
        sender.send(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        traceback.print_exc()
        sender.send(f"{type(error).__name__}: {error} ({log} holds more)")
        sys.exit(1)
