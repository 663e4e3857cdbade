"""A check of a balancer in distributed training: two ranks, as two threads."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from equipoise.balancing import Balancer

from .batch import LABELLED, TASKS, Batch, Make, check_close, check_sum

_WORLD = 2
_TIMEOUT = timedelta(seconds=30)
# Per step: how many of the 12 rows the first rank has, and which rows are labelled. In turn: all is in order; anger is
# absent on the second rank; on the first; the first rank has no rows; polarity is absent everywhere.
_PARTS: list[tuple[int, Mapping[str, Sequence[int]]]] = [
    (5, LABELLED),
    (8, LABELLED | {"anger": range(2, 7)}),
    (4, LABELLED | {"anger": range(5, 12)}),
    (0, LABELLED),
    (7, LABELLED | {"polarity": ()}),
]
_Step = tuple[dict[str, float], Tensor]


def check_ranks(make: Make) -> None:
    """Check two ranks against each other and against one process on the joined batch.

    Labels are not given, so that example weights that depend on the labels seen by a process stay out of it.
    """
    if not (dist.is_available() and dist.is_gloo_available()):
        return
    store, lock = dist.HashStore(), Lock()  # type: ignore[attr-defined]

    def run_rank(rank: int) -> list[_Step]:
        balancer = make(TASKS)
        own = dist.PrefixStore("ranks", store)  # type: ignore[attr-defined]
        balancer.process_group = dist.ProcessGroupGloo(own, rank, _WORLD, _TIMEOUT)
        if balancer.random:
            # Threads share the random state that a rule may borrow and give back.
            balancer.compute_weights = _locked(balancer.compute_weights, lock)  # type: ignore[method-assign]
            balancer.learn = _locked(balancer.learn, lock)  # type: ignore[method-assign]
        return _run(balancer, rank)

    with ThreadPoolExecutor(_WORLD) as pool:
        ranks = list(pool.map(run_rank, range(_WORLD)))
    joined = make(TASKS)
    alone = _run(joined, None)
    for (_, labelled), (first, gradient), (second, other), (weights, expected) in zip(
        _PARTS, *ranks, alone, strict=True
    ):
        present = sum(bool(rows) for rows in labelled.values())
        check_sum(first, present, "With two ranks")
        assert first == second, f"Two ranks have different weights: {first} and {second}."
        if joined.needs == "halves":
            continue
        check_close(first, weights, "Two ranks have other weights than one process on the joined batch", tolerance=1e-3)
        mean = (gradient + other) / _WORLD
        assert torch.allclose(mean, expected, rtol=1e-2, atol=1e-3 * expected.abs().max().item()), (
            "The mean of two ranks' gradients is not the gradient of one process on the joined batch: the scalar has "
            "to be multiplied by the number of processes."
        )


def _run(balancer: Balancer, rank: int | None) -> list[_Step]:
    """Take the steps with a rank's part of each batch, or with all of it; return the weights and gradients."""
    results = []
    for seed, (cut, labelled) in enumerate(_PARTS):
        rows = range(12) if rank is None else (range(cut), range(cut, 12))[rank]
        batch = Batch(seed, rows=rows, labelled=labelled)
        batch.balance(balancer, targets=False).backward()
        gradient = batch.backbone.grad
        results.append((balancer.weights, torch.zeros_like(batch.backbone) if gradient is None else gradient))
        batch.close(balancer)
    return results


def _locked(function: Callable[..., Any], lock: Any) -> Callable[..., Any]:
    def alone(*arguments: Any) -> Any:
        with lock:
            return function(*arguments)

    return alone
