"""The processes of distributed training: all of them train, the first one decides and writes."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from equipoise.devices import choose_device
from equipoise.errors import EquipoiseError, UsageError

Result = TypeVar("Result")


def join_processes() -> None:
    """Join the processes that `torchrun` or `accelerate launch` has started, where there are several.

    Raises:
        UsageError: there are more processes than GPUs, or they were started for what this training cannot do.
    """
    _check_launcher()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # accelerate runs several processes on the CPU only when told to.
        on_cpu = choose_device().type in ("cpu", "mps")
        if not on_cpu and not dist.is_initialized():
            _check_gpus()
        # The others wait while the first one scores; torch would give up on that after ten minutes.
        PartialState(cpu=on_cpu, timeout=timedelta(hours=6))
        if _is_launched_for("FSDP"):
            # Each process reads the whole model: it is tried on two rows before anything is sharded.
            os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"


def _is_launched_for(what: str) -> bool:
    return os.environ.get(f"ACCELERATE_USE_{what}", "false").lower() == "true"


def _check_launcher() -> None:
    """Refuse what `accelerate launch` can start and this training cannot do, before accelerate fails at it."""
    for what, name in (("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron-LM")):
        if _is_launched_for(what):
            refuse(
                f"{name}: equipoise does not train by it, but shards a model by FSDP (fsdp_version: 2); a loop of your "
                "own may use it with a balancer."
            )
    version = os.environ.get("FSDP_VERSION", "1")
    if _is_launched_for("FSDP") and version != "2":
        refuse(f"fsdp_version: found {version}, expected 2; set it in accelerate's configuration.")


def refuse(reason: str) -> NoReturn:
    """Raise an error in the first process, which tells the user; the others exit."""
    if int(os.environ.get("RANK") or 0):
        sys.exit(UsageError.exit_code)
    raise UsageError(reason)


def is_sharded() -> bool:
    """Whether the processes share out one model (FSDP), not each hold a whole one."""
    return count_processes() > 1 and _is_launched_for("FSDP")


@contextmanager
def hide_sharding() -> Iterator[None]:
    """Let accelerate not know of FSDP for a while: it would shard heads, too, and nothing on CPUs."""
    hidden = os.environ.pop("ACCELERATE_USE_FSDP", None)
    try:
        yield
    finally:
        if hidden is not None:
            os.environ["ACCELERATE_USE_FSDP"] = hidden


def _check_gpus() -> None:
    """Refuse more processes than there are GPUs: NCCL ends in an error of its own where two share one."""
    # Without it nothing says how many of them are on this machine.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    gpus = torch.get_device_module(choose_device().type).device_count()
    if processes > gpus:
        refuse(
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
