"""One place decides the device."""

import ast
from pathlib import Path

import pytest
import torch

import equipoise
from equipoise import cli, devices
from equipoise.cli import main
from equipoise.devices import choose_device, use_device
from equipoise.errors import UsageError
from equipoise.training import processes

SOURCES = Path(equipoise.__file__).parent


@pytest.fixture(autouse=True)
def nothing_asked(monkeypatch):
    for name in (devices.VARIABLE, "ACCELERATE_USE_CPU", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "CUDA_VISIBLE_DEVICES"):
        # Set first, so that what a test sets is taken back.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def cuda_build(monkeypatch):
    """Make torch look as if it was built for CUDA, and the machine as if it had so many GPUs."""

    def build(gpus, works=True):
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *args, **kwargs: torch.device("cuda"))
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        if works:
            monkeypatch.setattr(devices, "_try", lambda device: None)

    return build


def test_a_build_for_cuda_without_a_gpu_computes_on_the_cpu(cuda_build, tiny_model):
    cuda_build(0)
    assert choose_device() == torch.device("cpu")
    backbone = torch.nn.Linear(2, 2).to(choose_device())
    assert backbone.weight.device.type == "cpu"


def test_a_gpu_that_can_be_used_is_used(cuda_build, monkeypatch):
    cuda_build(2)
    assert choose_device() == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert choose_device() == torch.device("cpu")


@pytest.mark.parametrize("asked", ["cuda:2", "mps", "gpu", "meta", "cpu:1", "cuda:x", ""])
def test_a_device_that_is_not_there_is_named_with_what_there_is(cuda_build, asked, monkeypatch):
    cuda_build(2)
    if not asked:
        monkeypatch.setenv(devices.VARIABLE, asked := "cuda:7")
        asked_for = None
    else:
        asked_for = asked
    with pytest.raises(UsageError, match=rf"device '{asked}': not found here; there is cpu, cuda:0, cuda:1\. Choose"):
        choose_device(asked_for)


def test_a_gpu_that_fails_is_an_error_with_a_way_out(cuda_build):
    cuda_build(1, works=False)
    # This torch is built without CUDA, so the first tensor fails.
    with pytest.raises(UsageError, match=r"device 'cuda': cannot be used \(.+\); choose another, such as 'cpu'"):
        choose_device()


def test_one_of_several_gpus_hides_the_others(cuda_build, monkeypatch):
    import os

    cuda_build(1)
    use_device("cuda:3")
    assert (os.environ["CUDA_VISIBLE_DEVICES"], choose_device()) == ("3", torch.device("cuda"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    use_device("cuda:1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
    with pytest.raises(UsageError, match="device 'cuda:1': found CUDA_VISIBLE_DEVICES=6"):
        use_device("cuda:1")
    with monkeypatch.context() as used:
        used.setattr(torch.cuda, "is_initialized", lambda: True)
        with pytest.raises(UsageError, match="device 'cuda:0': this process computes on a GPU already"):
            equipoise.use_device("cuda:0")
    cuda_build(0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(UsageError, match="device 'cuda:9': not found here; there is cpu"):
        use_device("cuda:9")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="each of several processes takes a GPU of its own"):
        use_device("cuda:0")


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "model", "text"],
        ["evaluate", "model", "run.yaml"],
        *([name, "run.yaml"] for name in ("check", "train", "compare", "difficulty", "experts", "merge")),
        ["quickstart"],
    ],
)
def test_every_command_that_computes_takes_a_device(monkeypatch, capsys, arguments):
    monkeypatch.setattr("sys.argv", ["equipoise", *arguments, "--device", "cuda"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "usage: device 'cuda': not found here; there is cpu. Choose one of them.\n"


def test_all_other_commands_compute_nothing_on_a_device():
    """`export` computes on the CPU, where its graph will."""
    from typer.main import get_command

    commands = get_command(cli.app).commands
    without = {
        name
        for name, command in commands.items()
        if not command.hidden and not any("--device" in option.opts for option in command.params)
    }
    assert without == {"init", "export", "push", "fetch", "list"}


def test_the_option_reaches_the_model(monkeypatch):
    use_device("cpu")
    assert choose_device() == torch.device("cpu")
    with pytest.raises(UsageError, match="device 'cuda:1': not found here"):
        equipoise.load("anywhere", device="cuda:1")


def test_more_processes_than_gpus_are_refused_in_one_line(cuda_build, monkeypatch):
    monkeypatch.setattr(processes, "PartialState", lambda **kwargs: joined.append(kwargs["cpu"]))
    joined = []
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    cuda_build(1)
    with pytest.raises(UsageError, match="processes: found 2 on this machine, which shows 1 GPU;") as error:
        processes.join_processes()
    assert "\n" not in str(error.value)
    assert joined == []
    cuda_build(2)
    processes.join_processes()
    monkeypatch.setenv(devices.VARIABLE, "cpu")
    cuda_build(1)
    processes.join_processes()
    # Of sixteen on several machines nobody knows how many are on this one.
    monkeypatch.delenv(devices.VARIABLE)
    monkeypatch.setenv("WORLD_SIZE", "16")
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    processes.join_processes()
    assert joined == [False, True, False]


def test_nothing_else_looks_for_an_accelerator():
    """Whatever computes asks `choose_device`."""
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("current_accelerator", "is_available", "accelerator")
        and ast.unparse(node).startswith(("torch.accelerator", "torch.cuda", "torch.backends.mps"))
    }
    # The last two read states of what is there, and choose nothing.
    assert found == {"devices.py", "training/memory.py", "balancing/repeatable.py"}
