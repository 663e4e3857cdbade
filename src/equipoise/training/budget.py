"""How many steps a run takes, and how often it reads each source's rows."""

import math
from collections.abc import Sequence

from equipoise.config import TrainConfig
from equipoise.data import draw_sources

from .processes import count_processes


def count_steps(train: TrainConfig, rows: int) -> int:
    """Return how many optimiser steps a run plans.

    Args:
        train: its settings.
        rows: its training rows.
    """
    return train.max_steps or math.ceil(train.epochs * _steps_an_epoch(train, rows))


def count_passes(train: TrainConfig, sources: Sequence[str]) -> dict[str, float]:
    """Return how often a run plans to read each row of a source, on average over the source's rows.

    With one source, or `mixing: 1`, that is the number of epochs; else small sources are read more often than large
    ones.

    Args:
        train: its settings.
        sources: the source of each training row.
    """
    epochs = train.epochs
    if train.max_steps is not None:
        epochs = train.max_steps / _steps_an_epoch(train, len(sources))
    drawn = draw_sources(sources, train.mixing)
    return {source: epochs * count / sources.count(source) for source, count in drawn.items()}


def _steps_an_epoch(train: TrainConfig, rows: int) -> int:
    return math.ceil(math.ceil(rows / (train.batch_size * count_processes())) / train.gradient_accumulation)
