"""Two processes that train together, as `torchrun` would start them."""

import importlib.util
import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch.distributed as dist

# The server imports all of training once; each process is a fork of it.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["equipoise.cli", "equipoise.training", "equipoise.reporting"])


class Ended(NamedTuple):
    """How a process ended."""

    exit_code: int | None
    stderr: str


def in_two_processes(function: Callable, *args: object, seconds: float = 120) -> list[Ended]:
    """Call a function in two processes of one gloo group.

    Args:
        function: one of a test module; may ask `torch.distributed` for its rank.
        args: its arguments.
        seconds: time limit.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Test modules cannot be imported by name.
        where = function.__code__.co_filename, function.__name__
        processes = [_CONTEXT.Process(target=_call, args=(folder, rank, where, args)) for rank in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(seconds)
            process.kill()
            process.join()
        return [
            Ended(process.exitcode, (folder / f"stderr-{rank}").read_text()) for rank, process in enumerate(processes)
        ]


def _call(folder: Path, rank: int, where: tuple[str, str], args: tuple) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    # A file, not a port, so that no two tests meet.
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    with (folder / f"stderr-{rank}").open("w") as errors:
        os.dup2(errors.fileno(), 2)
        try:
            spec = importlib.util.spec_from_file_location("in_two", where[0])
            assert spec and spec.loader
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            getattr(module, where[1])(*args)
        except Exception:
            traceback.print_exc()
            os._exit(1)
