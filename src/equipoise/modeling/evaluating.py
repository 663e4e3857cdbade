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
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def longest_first(
    rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], batch_size: int, bar: Progress | None
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield batches of rows, the longest first, so that padding is small and memory trouble comes at once.

    Args:
        rows: the rows' numbers, shape (n,).
        lengths: the rows' tokens, shape (n,).
        batch_size: rows in a batch.
        bar: moved by the rows that are done.
    """
    order = rows[np.argsort(-lengths, kind="stable")]
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        yield batch
        if bar is not None:
            bar.advance(len(batch))
