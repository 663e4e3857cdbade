"""What a training step asks of a GPU, counted: waits, copies back, operations, passes of autograd.

Counted are the steps of `MultiTaskTrainer` with a random BERT and several classification tasks that label every row, as
the difference between a longer and a shorter training; so what happens once does not count.

- waits: how often the processor stops until the GPU is done, such as for a loss that is printed;
- operations: what is dispatched to the GPU, forward, backward and AdamW;
- passes: calls of `torch.autograd.grad`, besides the one `backward`.

    python benchmarks/gpu/step_counts.py [--quick] [--tasks 1 2 8] [--balancers equal dao]

Without a GPU a stand-in is counted, the one that the tests use (`tests/other_device.py`): its tensors are on another
device than the CPU's as far as mixing, moving and reading them goes. The counts do not depend on the model's size.
"""

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PLACE = Path(__file__).parents[1]
sys.path[:0] = [str(PLACE / "gpu"), str(PLACE), str(PLACE.parent / "tests")]
from training_step import Bench

import other_device
from measuring import setting

SHORT, LONG = 2, 4
_READ = torch.ops.aten._local_scalar_dense.default
_COPY = torch.ops.aten._to_copy.default


class OnGPU(TorchDispatchMode):
    """Counts operations on a GPU."""

    def __init__(self, counts: Counter) -> None:
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [one for one in (*args, result) if isinstance(one, torch.Tensor)]
        self.counts["operations"] += any(tensor.is_cuda for tensor in tensors)
        return result


@contextmanager
def counting(counts: Counter) -> Iterator[None]:
    """Count what happens on the GPU, or on its stand-in."""
    grad = torch.autograd.grad

    def differentiate(*args: Any, **options: Any) -> Any:
        counts["passes"] += 1
        return grad(*args, **options)

    torch.autograd.grad = differentiate
    try:
        if torch.cuda.is_available():
            with warnings.catch_warnings(record=True) as said, OnGPU(counts):
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                yield
            counts["waits"] += sum("synchroniz" in str(one.message) for one in said)
        else:
            with _counting_stand_in(counts):
                yield
    finally:
        torch.autograd.grad = grad
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode("default")


@contextmanager
def _counting_stand_in(counts: Counter) -> Iterator[None]:
    run, tolist = other_device._run, other_device._Tensor.tolist

    def watched(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        if any(isinstance(one, other_device._Tensor) for one in args):
            back = func is _COPY and torch.device(kwargs.get("device") or "meta").type == "cpu"
            counts["waits"] += func is _READ or back
            counts["operations"] += 1
        return run(func, args, kwargs)

    def listed(tensor: Any) -> Any:
        counts["waits"] += 1
        return tolist(tensor)

    other_device._run, other_device._Tensor.tolist = watched, listed
    try:
        yield
    finally:
        other_device._run, other_device._Tensor.tolist = run, tolist


def count_training(tasks: int, balancer: str, steps: int) -> Counter:
    """Count a training of some steps."""
    counts: Counter = Counter()
    bench = Bench("tiny", 4, tasks, steps, lora=False, precision="fp32")
    with counting(counts):
        bench.ours(balancer, 0)
    return counts


def count_step(tasks: int, balancer: str) -> dict[str, float]:
    """Return what one step takes."""
    few, many = (count_training(tasks, balancer, steps) for steps in (SHORT, LONG))
    return {name: (many[name] - few[name]) / (LONG - SHORT) for name in ("waits", "operations", "passes")}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two tasks and eight")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--balancers", nargs="+", default=["equal", "dao"])
    chosen = parser.parse_args(arguments)
    counted = [2, 8] if chosen.quick else chosen.tasks
    rows = []
    device = "a GPU" if torch.cuda.is_available() else "a stand-in"
    print(f"a step on {device}\n\n{'':12}{'tasks':>6}{'waits':>8}{'operations':>12}{'passes':>8}")
    with _device():
        for balancer in chosen.balancers:
            for tasks in counted:
                row = count_step(tasks, balancer)
                rows.append({"balancer": balancer, "tasks": tasks, **row})
                print(
                    f"{balancer:12}{tasks:6}{row['waits']:8.1f}{row['operations']:12.0f}{row['passes']:8.1f}",
                    flush=True,
                )
    print("\n" + json.dumps({"benchmark": "gpu/step_counts", "results": rows} | setting() | {"counted_on": device}))


@contextmanager
def _device() -> Iterator[None]:
    if torch.cuda.is_available():
        yield
        return
    with other_device.other_device():
        yield


if __name__ == "__main__":
    main()
