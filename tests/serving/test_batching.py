"""Passes side by side: which texts share one, on how many cores each computes, and what must be alone."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from equipoise.kinds import Task
from equipoise.serving import Ask, Batcher, Item
from equipoise.serving.metrics import ServiceMetrics
from length_predictor import LengthPredictor

COUNTED = Ask(("length",))
EXPLAINED = Ask(("length",), options=(("explain", True),))


class SideBySide(LengthPredictor):
    """Two passes at once on four cores; a pass goes on once it is let go."""

    concurrent = 2
    cores = 4

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Semaphore(0)
        self.now = self.most = 0
        self.explained_beside: list[int] = []
        self.used: list[int] = []
        self._lock = threading.Lock()

    def use_cores(self, count: int) -> None:
        self.used.append(count)

    def infer(self, *args: Any, **options: Any) -> dict[str, Any]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        found = super().infer(*args, **options)
        assert self.let_go.acquire(timeout=60)
        with self._lock:
            self.now -= 1
        return found

    def check_explained(self, explain: bool | int, tasks: Mapping[str, Task]) -> int:
        return int(explain)

    def explain(self, items: Any, predictions: Any, batch_size: int, steps: int, **options: Any) -> dict[str, Any]:
        self.explained_beside.append(self.now)
        return {}


def run(predictor: LengthPredictor, work: Callable[[Batcher], Awaitable[None]]) -> None:
    async def main() -> None:
        batcher = Batcher(predictor, 8, 100, ServiceMetrics())
        batcher.start()
        try:
            await asyncio.wait_for(work(batcher), 60)
        finally:
            await batcher.stop()

    asyncio.run(main())


def begin(batcher: Batcher, length: int, ask: Ask = COUNTED) -> "asyncio.Task[list[Any]]":
    return asyncio.get_running_loop().create_task(batcher.answer([Item("x" * length, None, ask)]))


async def until(happens: Callable[[], bool]) -> None:
    while not happens():
        await asyncio.sleep(0.001)


def test_passes_run_side_by_side_each_on_its_share_of_the_cores() -> None:
    predictor = SideBySide()

    async def work(batcher: Batcher) -> None:
        first = begin(batcher, 1)
        await until(lambda: predictor.now == 1)
        second = begin(batcher, 2)
        await until(lambda: predictor.now == 2)
        third = begin(batcher, 3)
        await asyncio.sleep(0.05)
        assert predictor.now == 2  # there is no room for a third
        predictor.let_go.release(3)
        found = await asyncio.gather(first, second, third)
        assert [answer["length"]["score"] for (answer,) in found] == [1, 2, 3]

    run(predictor, work)
    assert predictor.most == 2
    alone, beside, *_, last = predictor.used
    assert (alone, beside) == (4, 2)
    assert last == 4  # the process is as it was


def test_texts_that_come_without_a_pause_share_the_pass_beside_another() -> None:
    predictor = SideBySide()

    async def work(batcher: Batcher) -> None:
        asked = [begin(batcher, 1)]
        await until(lambda: predictor.now == 1)
        for length in range(2, 7):
            asked.append(begin(batcher, length))
            await asyncio.sleep(0)
        await until(lambda: predictor.now == 2)
        predictor.let_go.release(2)
        await asyncio.gather(*asked)

    run(predictor, work)
    assert predictor.batches == [1, 5]


def test_a_full_batch_does_not_wait_for_a_pause() -> None:
    predictor = SideBySide()

    async def work(batcher: Batcher) -> None:
        asked = [begin(batcher, 1)]
        await until(lambda: predictor.now == 1)
        while predictor.now == 1:  # never a pause
            asked.append(begin(batcher, 2))
            await asyncio.sleep(0.001)
        predictor.let_go.release(100)
        await asyncio.gather(*asked)

    run(predictor, work)
    assert predictor.batches[1] == 1  # the same text eight times


def test_what_is_explained_is_alone() -> None:
    predictor = SideBySide()

    async def work(batcher: Batcher) -> None:
        asked = [begin(batcher, 1)]
        await until(lambda: predictor.now == 1)
        asked.append(begin(batcher, 2, EXPLAINED))
        await asyncio.sleep(0.05)
        asked.append(begin(batcher, 3))
        await asyncio.sleep(0.05)
        assert predictor.now == 1  # it waits for the pass, and the next one for it
        predictor.let_go.release()
        await until(lambda: len(predictor.batches) == 2)
        await asyncio.sleep(0.05)
        assert predictor.now == 1
        predictor.let_go.release(2)
        await asyncio.gather(*asked)

    run(predictor, work)
    assert (predictor.most, predictor.explained_beside) == (1, [0])
    assert predictor.used[1] == 4


def test_a_predictor_that_says_nothing_of_it_has_one_pass_at_a_time() -> None:
    predictor = LengthPredictor(0.02)

    async def work(batcher: Batcher) -> None:
        asked = [begin(batcher, 1)]
        await until(lambda: len(predictor.batches) == 1)
        asked += [begin(batcher, length) for length in (2, 3)]
        await asyncio.gather(*asked)

    run(predictor, work)
    assert predictor.batches == [1, 2]
