"""How the tests start processes of their own."""

import multiprocessing
from collections.abc import Callable, Iterable
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


def run_together(context: Any, target: Callable[..., object], arguments: Iterable[tuple[Any, ...]]) -> list[int | None]:
    """Call a function in several processes at once, once with each of the arguments; return their exit codes."""
    children = [context.Process(target=target, args=own) for own in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(200)
        child.kill()
        child.join()
    return [child.exitcode for child in children]
