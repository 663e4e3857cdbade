"""What the benchmarks share."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from measuring import begin_worker

with ProcessPoolExecutor(1, get_context("fork"), begin_worker, (1,)) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_the_benchmark_is_killed():
    with subprocess.Popen([sys.executable, "-c", POOL], cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True) as process:
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not is_alive(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker lives on")


def is_alive(process: int) -> bool:
    """Whether a process runs; one that has ended may wait to be reaped."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
