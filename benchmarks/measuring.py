"""What the benchmarks share: turns, intervals, peak memory."""

import ctypes
import gc
import json
import multiprocessing
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

Result = TypeVar("Result")
FEW = 6
"""A bootstrap interval of fewer turns than this says nothing, and is left out."""


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def take_turns(ways: Mapping[str, Callable[[int], Result]], turns: int) -> dict[str, list[Result]]:
    """Call every way once in each turn, in random order; return by name what it returned for the turns' numbers."""
    order = random.Random(0)
    found: dict[str, list[Result]] = {name: [] for name in ways}
    for turn in range(turns):
        for name in order.sample(list(ways), len(ways)):
            found[name].append(ways[name](turn))
    return found


def median_over_turns(drawn: np.ndarray) -> np.ndarray:
    return np.median(drawn, axis=1)


def interval(
    values: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray] = median_over_turns, draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a statistic over turns.

    Args:
        values: one entry a turn, along the first axis.
        statistic: maps draws × turns × … to one number a draw.
        draws: how many.
    """
    turns = np.random.default_rng(0).integers(len(values), size=(draws, len(values)))
    low, high = np.quantile(statistic(values[turns]), [0.025, 0.975])
    return float(low), float(high)


def peak_memory(action: Callable[[], Any]) -> float:
    """Return the peak memory during an action in MiB, NaN where the system does not tell."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        action()
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return float("nan")
    action()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run_apart(script: str, arguments: Sequence[str], given: Any = None) -> Any:
    """Run a script in a process of its own, in which freed blocks of memory are given back.

    Args:
        script: its file.
        arguments: its arguments.
        given: what it reads from standard input, as JSON.

    Returns:
        What its last line holds, which is JSON.
    """
    settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, env=settings, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def begin_worker(threads: int) -> None:
    """Begin a worker of a pool, which ends when the process that waits for it is killed."""
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def number(value: float) -> float | None:
    """Return a number as JSON has it, None for NaN."""
    return None if np.isnan(value) else float(value)


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def setting() -> dict[str, Any]:
    """What a result depends on besides the script."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {"device": device, "threads": torch.get_num_threads(), "torch": torch.__version__}
