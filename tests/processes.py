"""Processes of their own: two that train together, as `torchrun` would start them, and scripts."""

import importlib.util
import os
import runpy
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch.distributed as dist

from children import child_context

_CONTEXT = child_context("equipoise.cli", "equipoise.training", "equipoise.reporting")


class Ended(NamedTuple):
    """How a process ended, and what it wrote: a script to both streams, one of two to stderr."""

    exit_code: int | None
    output: str


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
            Ended(process.exitcode, (folder / f"output-{rank}").read_text()) for rank, process in enumerate(processes)
        ]


def run_script(script: Path, seconds: float = 120) -> Ended:
    """Run a Python script."""
    with tempfile.NamedTemporaryFile() as output:
        process = _CONTEXT.Process(target=_run, args=(script, output.name))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        return Ended(process.exitcode, Path(output.name).read_text())


def _run(script: Path, output: str) -> None:
    file = os.open(output, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    runpy.run_path(str(script), run_name="__main__")


def _call(folder: Path, rank: int, where: tuple[str, str], args: tuple) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    # A file, not a port, so that no two tests meet.
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    with (folder / f"output-{rank}").open("w") as errors:
        os.dup2(errors.fileno(), 2)
        try:
            spec = importlib.util.spec_from_file_location("in_two", where[0])
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            getattr(module, where[1])(*args)
        except Exception:
            traceback.print_exc()
            os._exit(1)


def train_without_dropout(run_file: Path) -> None:
    """Train with no dropout, also in heads, so that two processes can be compared with one."""
    import torch

    from equipoise.training import train

    before = torch.nn.Dropout.forward
    torch.nn.Dropout.forward = lambda self, values: values
    try:
        train(run_file)
    finally:
        torch.nn.Dropout.forward = before


def launched_environment(config: Path) -> dict[str, str]:
    """What `accelerate launch --config_file CONFIG` tells its processes, by accelerate's own reading of the file."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    arguments = launch_command_parser().parse_args(["--config_file", str(config), "--debug", "script.py"])
    arguments, *_ = _validate_launch_command(arguments)
    arguments.deepspeed_fields_from_accelerate_config = ""
    told = prepare_deepspeed_cmd_env(arguments)[1] if arguments.use_deepspeed else prepare_multi_gpu_env(arguments)
    return {name: value for name, value in told.items() if name.startswith(("ACCELERATE_", "FSDP_"))}
