"""Texts of many requests in one pass of the model."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from equipoise.errors import EquipoiseError
from equipoise.predicting import BasePredictor, Inputs

from .metrics import ServiceMetrics

Answer = dict[str, Any]

_PAUSE = 0.005
"""Seconds without a further text after which a pass begins beside another one."""


@dataclass(frozen=True)
class Ask:
    """What is asked about a text; texts of which the same is asked share a pass.

    Args:
        tasks: the tasks to answer.
        named: whether the request named them; else those that have no sets or no confidence answer as always.
        options: further keyword arguments of `Predictor.predict`, in order, such as `(("level", 0.9),)`.
    """

    tasks: tuple[str, ...]
    named: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def is_explained(self) -> bool:
        """Whether the answers are explained."""
        return bool(dict(self.options).get("explain"))


@dataclass(frozen=True)
class Item:
    """One text, its second text, and what is asked about it."""

    text: str
    pair: str | None
    ask: Ask


class QueueFullError(Exception):
    """There is no room for further texts now.

    Args:
        seconds: after how many seconds there should be.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {seconds} s")
        self.seconds = seconds


@dataclass
class _Waiting:
    item: Item
    future: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """Answer texts that come one by one, in batches.

    While the model works, texts gather; when it is free, it takes the oldest and all others of which the same is asked,
    up to a batch. So a batch grows with the load, and nothing waits for it to fill (as Clipper's batches without a
    delay; Crankshaw et al. 2017, arXiv 1612.03079). Where the predictor allows it, several batches are answered side by
    side, each on cores of its own, so that no core waits for another; one that has nothing beside it has all cores. A
    batch beside another one begins at a pause: clients that were answered together ask again together, and the first of
    them alone would be a small batch, which costs more a text.

    Args:
        predictor: what answers.
        batch_size: texts in a pass, at most.
        room: texts that may wait.
        metrics: what counts.
    """

    def __init__(self, predictor: BasePredictor, batch_size: int, room: int, metrics: ServiceMetrics) -> None:
        self._predictor = predictor
        self._batch_size = batch_size
        self._room = room
        self._metrics = metrics
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._cores, self._concurrent = predictor.cores, predictor.concurrent
        self._pool = ThreadPoolExecutor(self._concurrent, "equipoise-model")
        self._slots = asyncio.Semaphore(self._concurrent)
        self._running = 0
        self._rate = float(batch_size)
        self._work: asyncio.Task[None] | None = None

    @property
    def is_working(self) -> bool:
        """Whether texts are answered."""
        return self._work is not None and not self._work.done()

    def start(self) -> None:
        """Begin to answer; an event loop must run."""
        self._work = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop; a pass that has begun is finished."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._predictor.use_cores(self._cores)  # partly a setting of the process, not of the thread

    async def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Return the answers of some texts, in order; one that cannot be answered is `{"error": …}`.

        Raises:
            QueueFullError: they find no room.
        """
        waiting = sum(not one.future.done() for one in self._queue)
        if waiting + len(items) > self._room:
            raise QueueFullError(max(1, math.ceil(waiting / self._rate)))
        entries = [_Waiting(item) for item in items]
        self._queue.extend(entries)
        self._metrics.queued.set(len(self._queue))
        self._arrived.set()
        return list(await asyncio.gather(*(entry.future for entry in entries)))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as passes:
            while True:
                await self._slots.acquire()
                batch = await self._next()
                # What explains a model looks into its passes, so that no other may run.
                held = self._concurrent if batch[0].item.ask.is_explained else 1
                for _ in range(held - 1):
                    await self._slots.acquire()
                is_alone = held > 1 or not (self._running or self._queue)
                cores = self._cores if is_alone else max(1, self._cores // self._concurrent)
                self._running += 1
                passes.create_task(self._work_on(batch, cores, held))

    async def _next(self) -> list[_Waiting]:
        while True:
            await self._arrived.wait()
            await self._gather()
            if batch := self._take():
                return batch
            self._arrived.clear()

    async def _gather(self) -> None:
        """Beside another pass, wait as long as texts come without a pause, up to a batch."""
        before = 0
        while self._running and before < len(self._queue) < self._batch_size:
            before = len(self._queue)
            await asyncio.sleep(_PAUSE)

    async def _work_on(self, batch: list[_Waiting], cores: int, held: int) -> None:
        """Answer a batch on so many cores, and give back the slots it holds."""
        started = time.monotonic()
        items = [entry.item for entry in batch]
        answers = await asyncio.get_running_loop().run_in_executor(self._pool, self._answer_on, cores, items)
        rate = self._running * len(batch) / max(1e-3, time.monotonic() - started)
        self._rate = 0.8 * self._rate + 0.2 * rate
        self._running -= 1
        for _ in range(held):
            self._slots.release()
        self._metrics.batch(len(batch))
        for entry, answer in zip(batch, answers, strict=True):
            if not entry.future.done():
                entry.future.set_result(answer)

    def _answer_on(self, cores: int, items: list[Item]) -> list[Answer]:
        self._predictor.use_cores(cores)
        return self._answer(items)

    def _take(self) -> list[_Waiting]:
        """Take the oldest text, and others of which the same is asked, out of the queue."""
        taken: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        for entry in self._queue:
            if entry.future.done():
                continue
            fits = len(taken) < self._batch_size and (not taken or taken[0].item.ask == entry.item.ask)
            (taken if fits else left).append(entry)
        self._queue = left
        self._metrics.queued.set(len(left))
        return taken

    def _answer(self, items: list[Item]) -> list[Answer]:
        """Answer in one pass; where a text is at fault, the others are answered without it."""
        ask = items[0].ask
        try:
            return self._predict(items, ask)
        except EquipoiseError as error:
            if len(items) == 1:
                return [{"error": str(error)}]
        except Exception as error:
            # Messages of libraries may hold texts: only the type is logged.
            logging.getLogger("uvicorn.error").error("a pass of %d texts failed: %s", len(items), type(error).__name__)
            if len(items) == 1:
                return [{"error": f"the model failed on this text ({type(error).__name__})"}]
        half = len(items) // 2
        return self._answer(items[:half]) + self._answer(items[half:])

    def _predict(self, items: list[Item], ask: Ask) -> list[Answer]:
        tasks = self._predictor.tasks
        pairs: Any = [item.pair for item in items] if any(tasks[name].pair for name in ask.tasks) else None
        answers = self._predictor.predict(
            Inputs([item.text for item in items], lambda index: "text"),
            pairs,
            tasks=list(ask.tasks) if ask.named else None,
            skip=tasks.keys() - ask.tasks,
            batch_size=self._batch_size,
            errors="answer",
            **dict(ask.options),
        )
        return [_take_tasks(answer, ask.tasks) for answer in answers]


def _take_tasks(answer: Answer, tasks: Sequence[str]) -> Answer:
    """Return what an answer says of tasks, or why it says nothing; a task may be called `error`, too."""
    if isinstance(problem := answer.get("error"), str):
        # A lone surrogate cannot be sent.
        return {"error": problem.encode("utf-8", "replace").decode()}
    return {name: answer[name] for name in tasks}
