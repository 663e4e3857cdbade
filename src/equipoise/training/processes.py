"""The processes of distributed training: all of them train, the first one decides and writes."""

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from equipoise.devices import choose_device
from equipoise.errors import EquipoiseError, UsageError

Result = TypeVar("Result")


def join_processes() -> None:
    """Join the processes that `torchrun` or `accelerate launch` has started, where there are several."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # accelerate runs several processes on the CPU only when told to.
        on_cpu = choose_device().type in ("cpu", "mps")
        if not on_cpu and not dist.is_initialized():
            _check_gpus()
        # The others wait while the first one scores; torch would give up on that after ten minutes.
        PartialState(cpu=on_cpu, timeout=timedelta(hours=6))


def _check_gpus() -> None:
    """Refuse more processes than there are GPUs: NCCL ends in an error of its own where two share one."""
    # Without it nothing says how many of them are on this machine.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    gpus = torch.get_device_module(choose_device().type).device_count()
    if processes > gpus:
        raise UsageError(
            f"processes: found {processes} on this machine, which shows {gpus} GPU{'s' * (gpus != 1)}; start one "
            "process a GPU (torchrun --nproc-per-node), or train on the CPU with --device cpu."
        )


def count_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def on_cpus() -> bool:
    """Whether several processes train on the CPU."""
    return dist.is_initialized() and PartialState().device.type == "cpu"


def is_first() -> bool:
    """Whether this is the process that writes."""
    return not dist.is_initialized() or dist.get_rank() == 0


def in_first(function: Callable[[], Result]) -> Result:
    """Call a function in the first process, and return its result in all of them.

    All of them have to come here. An error of the function is raised in the first process, which tells the user; the
    others exit with its code.
    """
    if count_processes() == 1:
        return function()
    if not is_first():
        outcome: list = [None, None]
        broadcast_object_list(outcome)
        if outcome[1] is not None:
            sys.exit(outcome[1])
        return outcome[0]
    try:
        outcome = [function(), None]
    except BaseException as error:
        broadcast_object_list([None, error.exit_code if isinstance(error, EquipoiseError) else 1])
        raise
    broadcast_object_list(outcome)
    return outcome[0]


def in_any(flag: bool) -> bool:
    """Whether a flag is set in one of the processes; all of them have to come here."""
    if count_processes() == 1:
        return flag
    votes = torch.tensor(float(flag), device=PartialState().device)
    dist.all_reduce(votes, dist.ReduceOp.MAX)
    return bool(votes)
