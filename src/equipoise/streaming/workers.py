"""Answering windows in several processes."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from equipoise.child_processes import end_with_parent
from equipoise.errors import EquipoiseError, ModelError
from equipoise.kinds import Kind, list_kinds, register
from equipoise.predicting import BasePredictor

from .engine import Answered, Engine, LocalEngine, ModelView, Window
from .writers import Writer

_engine: LocalEngine | EquipoiseError | None = None
"""The model of a worker process, or why it has none."""


class WorkerEngine(Engine):
    """Answers windows in worker processes, each with a model of its own and, on the CPU, one thread.

    So the answers do not depend on how many there are.

    Args:
        count: how many processes.
        load: loads the model; it is called in each process.
        options: see `LocalEngine`.
        strict: see `LocalEngine`.
    """

    def __init__(
        self, count: int, load: Callable[[], BasePredictor], options: Mapping[str, Any], strict: bool = False
    ) -> None:
        self.depth = 2 * count
        self._children = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(
            count,
            multiprocessing.get_context("spawn"),
            _begin,
            (list(list_kinds().values()), load, dict(options), strict),
        )

    def describe(self, sample: bool) -> ModelView:
        """Describe the model."""
        return self._pool.submit(_describe, sample).result()

    def submit(self, window: Window, writer: Writer) -> "Future[Answered]":
        """Give a window to the next process that is free."""
        return self._pool.submit(_answer, window, writer)

    def close(self, *, failed: bool = False) -> None:
        """End the processes."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if failed:
            for child in set(multiprocessing.active_children()) - self._children:
                child.kill()
        self._pool.shutdown(wait=True)


def explain_broken(error: BrokenProcessPool) -> EquipoiseError:
    """Return the error of a worker process that has ended."""
    return ModelError(
        "a worker process has ended before its work was done (killed, maybe for want of memory); call again with fewer "
        "--workers."
    )


def _begin(kinds: Sequence[Kind], load: Callable[[], BasePredictor], options: Mapping[str, Any], strict: bool) -> None:
    """Begin a worker process."""
    global _engine
    end_with_parent()
    # Ctrl-C reaches all processes of a terminal; the one that waits for these ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    for kind in kinds:
        register(kind)
    try:
        predictor = load()
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(1)
        _engine = LocalEngine(predictor, options, strict)
    except EquipoiseError as error:
        _engine = error


def _own_engine() -> LocalEngine:
    if isinstance(_engine, EquipoiseError):
        raise _engine
    assert _engine is not None  # the process has begun
    return _engine


def _describe(sample: bool) -> ModelView:
    return _own_engine().describe(sample)


def _answer(window: Window, writer: Writer) -> Answered:
    return _own_engine().answer(window, writer)
