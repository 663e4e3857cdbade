"""Reading rows with a model that does not learn from them."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from torch import nn

from equipoise.progress import Progress


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Have a model in evaluation mode for a while."""
    if not any(module.training for module in model.modules()):
        yield  # to set every module twice takes as long as a few tokens
        return
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def longest_first(
    rows: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    bar: Progress | None,
    pass_cost: int | None = None,
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield batches of rows, the longest first, so that padding is small and memory trouble comes at once.

    Args:
        rows: the rows' numbers, shape (n,).
        lengths: the rows' tokens, shape (n,).
        batch_size: rows in a batch, at most.
        bar: moved by the rows that are done.
        pass_cost: as how many tokens a pass counts beyond its own; batches are then smaller where lengths differ, so
            that the least is computed in all. None makes all batches full.
    """
    by_length = np.argsort(-lengths, kind="stable")
    order, start = rows[by_length], 0
    sizes = _full(len(order), batch_size) if pass_cost is None else _fit(lengths[by_length], batch_size, pass_cost)
    for size in sizes:
        batch = order[start : start + size]
        start += size
        yield batch
        if bar is not None:
            bar.advance(len(batch))


def _full(rows: int, batch_size: int) -> list[int]:
    return [min(batch_size, rows - start) for start in range(0, rows, batch_size)]


def _fit(lengths: npt.NDArray[np.int64], batch_size: int, pass_cost: int) -> list[int]:
    """Return the sizes of the batches that together take the fewest tokens, padding and passes included.

    Args:
        lengths: descending, shape (n,).
        batch_size: rows in a batch, at most.
        pass_cost: of a batch beyond its tokens.
    """
    least = np.zeros(len(lengths) + 1)
    last = np.zeros(len(lengths) + 1, np.int64)
    for end in range(1, len(lengths) + 1):
        starts = np.arange(max(0, end - batch_size), end)
        costs = least[starts] + pass_cost + (end - starts) * lengths[starts]
        best = int(costs.argmin())
        least[end], last[end] = costs[best], starts[best]
    sizes, end = [], len(lengths)
    while end:
        sizes.append(end - int(last[end]))
        end = int(last[end])
    return sizes[::-1]
