"""How the tests start processes of their own."""

import multiprocessing
from typing import Any

import torch


def child_context(*preloaded: str) -> Any:
    """Return how processes start: as forks of a server that has imported these modules once.

    Where there is a GPU each is spawned: what CUDA has set up does not survive a fork.
    """
    if torch.accelerator.is_available():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preloaded))
    return context
