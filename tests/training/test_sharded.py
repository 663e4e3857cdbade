"""Two processes that share out one model (FSDP2) train the model that one process trains on the joined batch.

What the processes are told is what `accelerate launch` tells them by the configuration in `examples/distributed/`.
"""

import os
import signal
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.distributed.tensor import DTensor

from architectures import save_architecture
from corpus import asked_data, run_data, write_data, write_run
from equipoise.cli import main
from equipoise.training import callbacks
from outcomes import assert_same, outcome
from processes import in_two_processes, launched_environment, train_without_dropout

CONFIG = Path(__file__).parents[2] / "examples" / "distributed" / "fsdp2.yaml"


def train_sharded(run_file):
    os.environ |= launched_environment(CONFIG)
    held = watch_sizes()
    train_without_dropout(run_file)
    whole, sharded = held[-1]
    # A half, where rows can be halved.
    assert 0 < sharded < 0.6 * whole


def resume_whole(run_file):
    sys.argv = ["equipoise", "train", str(run_file), "--resume"]
    main()


def command_told(run_file, told):
    os.environ |= launched_environment(CONFIG) | told
    resume_whole(run_file)


def watch_sizes():
    """Note how many trained numbers are sharded, and how many of them this process holds."""
    held = []
    end = callbacks.ScoreOnSchedule.on_step_end

    def on_step_end(self, args, state, control, optimizer=None, **more):
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        shards = [parameter for parameter in parameters if isinstance(parameter, DTensor)]
        whole = sum(parameter.numel() for parameter in shards)
        held.append((whole, sum(parameter.to_local().numel() for parameter in shards)))
        end(self, args, state, control, optimizer=optimizer, **more)

    callbacks.ScoreOnSchedule.on_step_end = on_step_end
    return held


def command(run_file, kill_at, *options):
    """Run `equipoise train`; the second process is killed at a step."""
    os.environ |= launched_environment(CONFIG)
    end = callbacks.ScoreOnSchedule.on_step_end

    def on_step_end(self, args, state, control, **more):
        end(self, args, state, control, **more)
        if state.global_step == kill_at and dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    callbacks.ScoreOnSchedule.on_step_end = on_step_end
    sys.argv = ["equipoise", "train", str(run_file), *options]
    main()


def assert_ended(processes):
    assert [process.exit_code for process in processes] == [0, 0], "\n".join(process.output for process in processes)


def two_runs(folder, model, more=(), **train):
    runs = {}
    for name, size in (("one", 16), ("two", 8)):
        (folder / name).mkdir()
        data = run_data(folder / name, model, batch_size=size, evaluations=2, learning_rate=1e-3, **train)
        runs[name] = write_data(folder / name, {**data, **dict(more)})
    return runs


def assert_alike(folder):
    weights, log, _, _ = outcome(folder / "one" / "run")
    others, other_log, _, _ = outcome(folder / "two" / "run")
    assert weights.keys() == others.keys()
    for line, other in zip(log, other_log, strict=True):
        for key in ("losses", "weights", "dev"):
            assert other.get(key, {}) == pytest.approx(line.get(key, {}), rel=1e-5, abs=1e-5), (line["step"], key)
        assert other.get("grad_norm", 0) == pytest.approx(line.get("grad_norm", 0), rel=1e-5, abs=1e-5)
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("balance", "accumulation"), [("equal", 1), ("dao", 1), ("dao", 2), ("famo", 1), ("pcgrad", 1)]
)
def test_two_processes_train_the_model_of_one(tmp_path, steady_model, balance, accumulation):
    steps = {"max_steps": 8 // accumulation, "gradient_accumulation": accumulation}
    runs = two_runs(tmp_path, steady_model, {"balance": balance}, **steps)
    train_without_dropout(runs["one"])
    assert_ended(in_two_processes(train_sharded, runs["two"]))
    assert_alike(tmp_path)


def test_killed_and_resumed(tmp_path, steady_model):
    """In the second epoch, to the same bits; what is left in between is whole, and of no other way to train."""
    runs = [
        write_run(folder, steady_model, batch_size=8, evaluations=4, precision="bf16")
        for folder in (tmp_path / "whole", tmp_path / "killed")
        if folder.mkdir() is None
    ]
    assert_ended(in_two_processes(command, runs[0], 0))
    ended = in_two_processes(command, runs[1], 25)
    assert ended[1].exit_code == -signal.SIGKILL
    assert ended[0].exit_code == 1
    checkpoint = tmp_path / "killed" / "run" / "checkpoints" / "checkpoint-24"
    assert (checkpoint / "complete").exists()
    states = load_file(checkpoint / "optimizer.safetensors")
    weights = load_file(checkpoint / "model.safetensors")
    shapes = {tuple(tensor.shape) for name, tensor in weights.items() if name.startswith("backbone.")}
    assert {tuple(tensor.shape) for tensor in states.values()} == shapes
    ended = in_two_processes(resume_whole, runs[1])
    assert [process.exit_code for process in ended] == [1, 1]
    assert "was started with the model sharded (FSDP), found it in each process whole" in ended[0].output
    assert_ended(in_two_processes(command, runs[1], 0, "--resume"))
    assert_same(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


@pytest.mark.parametrize("more", [{}, {"lora": {"rank": 4}}], ids=["full", "lora"])
def test_a_language_model_that_is_prompted_and_read(tmp_path, tiny_llm, more):
    runs = {}
    for name, size in (("one", 8), ("two", 4)):
        (tmp_path / name).mkdir()
        data = asked_data(tmp_path / name, tiny_llm, batch_size=size, max_steps=4, evaluations=1, learning_rate=1e-3)
        data["train"]["gradient_checkpointing"] = True
        data["tasks"] = {task: data["tasks"][task] for task in ("tone", "strength", "title", "polarity", "intensity")}
        runs[name] = write_data(tmp_path / name, {**data, **more})
    train_without_dropout(runs["one"])
    assert_ended(in_two_processes(train_sharded, runs["two"]))
    assert_alike(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told", "message"),
    [
        ({"balance": {"name": "pcgrad", "where": "parameters"}}, {}, "balance.where: found parameters, expected map"),
        ({"train": {"compile": True}}, {}, "train.compile: found true, expected false"),
        ({"train": {"precision": "pure_bf16"}}, {}, "train.precision: found pure_bf16, expected fp32 or bf16"),
        ({"model": "bilstm"}, {}, "model: found bilstm, expected a pretrained model where the model is sharded"),
        ({}, {"FSDP_VERSION": "1"}, "fsdp_version: found 1, expected 2"),
        ({}, {"FSDP_OFFLOAD_PARAMS": "true"}, "fsdp_offload_params: found true, expected false"),
        ({}, {"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed: equipoise does not train by it"),
    ],
)
def test_what_does_not_go_with_shards_is_refused_in_one_line(tmp_path, steady_model, changes, told, message):
    run_file = write_data(tmp_path, {**run_data(tmp_path, steady_model), **changes})
    ended = in_two_processes(command_told, run_file, told)
    assert [process.exit_code for process in ended] == [2, 2]
    assert ended[0].output.startswith(f"usage: {message}")
    assert ended[0].output.count("\n") == 1
    assert ended[1].output == ""
    assert not (tmp_path / "run").exists()


def test_a_prompted_model_that_scales_its_logits_is_refused(tmp_path, tiny_llm):
    data = asked_data(tmp_path, save_architecture("granite", tiny_llm, tmp_path / "granite"))
    data["tasks"] = {"tone": data["tasks"]["tone"]}
    ended = in_two_processes(command_told, write_data(tmp_path, data), {})
    assert [process.exit_code for process in ended] == [2, 2]
    assert "model: GraniteForCausalLM scales or caps its logits" in ended[0].output
    assert "usage" not in ended[1].output
