"""Batches that are read side by side, by threads of a CPU."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from .model import MultiTaskModel

_STATELESS = frozenset(
    (
        *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "mpnet"),
        *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"),
    )
)
"""Architectures whose forward pass leaves nothing behind, so that passes may overlap. Others may cache what depends on
a text's length, or switch to another attention for good."""
_MOST = 4
"""Passes at once, so that memory stays bounded on many cores."""

Batch = TypeVar("Batch")
Answer = TypeVar("Answer")


def count_concurrent(model: MultiTaskModel) -> int:
    """Return how many batches `model` may read at once: on a CPU one per core, 4 at most; else 1.

    Where one pass is divided between cores, they wait for each other after every operation, longest where other work
    takes one of them. A core that has a batch of its own waits for nobody (our design).
    """
    is_free = model.device.type == "cpu" and model.backbone.config.model_type in _STATELESS
    return min(_MOST, torch.get_num_threads()) if is_free else 1


def map_batches(
    answer: Callable[[Batch], Answer], batches: Iterator[Batch], concurrent: int
) -> Iterator[tuple[Batch, Answer]]:
    """Yield each batch with its answer, in order.

    Args:
        answer: answers a batch, without gradients; with `concurrent` above 1 it is called from several threads.
        batches: the batches; one is taken when there is room for it.
        concurrent: batches in work at once; the cores are divided among them.
    """
    first = next(batches, None)
    second = next(batches, None) if concurrent > 1 else None
    if first is None:
        return
    if second is None:  # alone, it has all cores
        yield first, answer(first)
        yield from ((batch, answer(batch)) for batch in batches)
        return
    with _threads(concurrent) as pool:
        waiting = deque((batch, pool.submit(answer, batch)) for batch in (first, second))
        while waiting:
            # One more than are in work, so that no thread waits for its next.
            while len(waiting) <= concurrent and (batch := next(batches, None)) is not None:
                waiting.append((batch, pool.submit(answer, batch)))
            done, future = waiting.popleft()
            yield done, future.result()


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Open a pool of threads that divide the cores, and give them back at the end."""
    cores = torch.get_num_threads()

    def begin() -> None:
        torch.set_num_threads(max(1, cores // count))

    pool = ThreadPoolExecutor(count, "equipoise-batch", initializer=begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        # Partly a setting of the process, not of the thread.
        torch.set_num_threads(cores)
