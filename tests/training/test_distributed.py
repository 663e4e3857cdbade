"""Two processes train the model that one process trains on the joined batch."""

import json
import os
import signal
import sys

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from corpus import run_data, write_data, write_run
from equipoise.cli import main
from equipoise.training import callbacks, train
from processes import in_two_processes, train_without_dropout


def struck(run_file, rank, step, number, *options):
    """Run `equipoise train` where a signal strikes one of the processes before it logs a step."""
    end = callbacks.ScoreOnSchedule.on_step_end

    def on_step_end(self, args, state, control, **more):
        end(self, args, state, control, **more)
        if state.global_step == step and dist.get_rank() == rank:
            os.kill(os.getpid(), number)

    callbacks.ScoreOnSchedule.on_step_end = on_step_end
    sys.argv = ["equipoise", "train", str(run_file), *options]
    main()


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def outcome(folder):
    weights = load_file(folder / "model/backbone/model.safetensors")
    return weights | load_file(folder / "model/task_modules.safetensors")


def assert_same(one, other):
    weights, others = outcome(one), outcome(other)
    for name, tensor in weights.items():
        assert (tensor == others[name]).all(), name
    for line, another in zip(read_log(one), read_log(other), strict=True):
        for key in ("losses", "weights", "grad_norm", "dev"):
            assert line.get(key) == another.get(key)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_train_the_model_of_one(tmp_path, steady_model, accumulation):
    runs = {}
    for name, size in (("one", 16), ("two", 8)):
        (tmp_path / name).mkdir()
        # Inside the first epoch: the rows that fill up its last batch are counted twice.
        options = {"max_steps": 12 // accumulation, "gradient_accumulation": accumulation, "learning_rate": 1e-3}
        runs[name] = write_run(tmp_path / name, steady_model, batch_size=size, evaluations=2, **options)
    train_without_dropout(runs["one"])
    ended = in_two_processes(train_without_dropout, runs["two"])
    assert [process.exit_code for process in ended] == [0, 0], ended
    one, two = tmp_path / "one" / "run", tmp_path / "two" / "run"
    for line, other in zip(read_log(one), read_log(two), strict=True):
        for key in ("losses", "weights", "dev"):
            assert other.get(key, {}) == pytest.approx(line.get(key, {}), rel=1e-4), (line["step"], key)
        assert other.get("loss", 0) == pytest.approx(line.get("loss", 0), rel=1e-4)
    others = outcome(two)
    for name, tensor in outcome(one).items():
        torch.testing.assert_close(others[name], tensor, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("schedule", ["competence", "mixed"])
def test_two_processes_follow_a_curriculum_as_one_does(tmp_path, steady_model, schedule):
    """With a frozen layer, whose output each process keeps of its own rows."""
    runs = {}
    for name, size in (("one", 16), ("two", 8)):
        (tmp_path / name).mkdir()
        data = run_data(tmp_path / name, steady_model, batch_size=size, evaluations=2, max_steps=12, freeze_layers=1)
        runs[name] = write_data(tmp_path / name, {**data, "curriculum": {"by": "metadata", "schedule": schedule}})
    train_without_dropout(runs["one"])
    ended = in_two_processes(train_without_dropout, runs["two"])
    assert [process.exit_code for process in ended] == [0, 0], ended
    lines, others = (read_log(tmp_path / name / "run") for name in ("one", "two"))
    for line, other in zip(lines, others, strict=True):
        for key in ("losses", "weights", "dev", "curriculum"):
            assert other.get(key, {}) == pytest.approx(line.get(key, {}), rel=1e-4), (line["step"], key)
    assert "curriculum" in lines[0]


def test_killed_and_resumed(tmp_path, tiny_model):
    """In the second epoch, whose order the resumed processes have to know."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = write_run(tmp_path / "whole", tiny_model, batch_size=8, precision="bf16")
    killed = write_run(tmp_path / "killed", tiny_model, batch_size=8, precision="bf16")
    assert [process.exit_code for process in in_two_processes(struck, whole, 0, 0, 0)] == [0, 0]
    ended = in_two_processes(struck, killed, 1, 25, signal.SIGKILL)
    assert ended[1].exit_code == -signal.SIGKILL
    assert ended[0].exit_code == 1
    ended = in_two_processes(struck, killed, 0, 0, 0, "--resume")
    assert [process.exit_code for process in ended] == [0, 0], ended
    assert_same(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def test_an_interrupt_of_one_process_stops_all_at_the_same_step(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, batch_size=8)
    ended = in_two_processes(struck, run_file, 1, 4, signal.SIGINT)
    assert [process.exit_code for process in ended] == [1, 1]
    assert "Stopped at step 4 of 32; a checkpoint is saved. Continue with --resume" in ended[0].output
    assert "Stopped" not in ended[1].output
    assert (tmp_path / "run" / "checkpoints" / "checkpoint-4" / "complete").exists()
    # One process would see other batches.
    ended = in_two_processes(struck, run_file, 0, 0, 0)
    assert [process.exit_code for process in ended] == [1, 1]
    assert "holds an unfinished run" in ended[0].output
    assert ended[1].output.count("error") == 0
    with pytest.raises(Exception, match="started with 2 processes, found 1"):
        train(run_file, resume=True)
