"""The log of a run."""

import json
import math
import signal

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from corpus import write_run
from equipoise.balancing import NonFiniteLoss, make_balancer
from equipoise.training import train
from equipoise.training.callbacks import RunLog
from outcomes import outcome
from strike import strike


def test_a_step_that_the_scaler_skipped_is_strict_json(tmp_path):
    log = RunLog(tmp_path / "log.jsonl", make_balancer("equal", ["a"]))
    logs = {"loss": 0.5, "loss/a": 0.5, "learning_rate": 1e-4, "grad_norm": math.nan}
    log.on_log(TrainingArguments(output_dir=str(tmp_path)), TrainerState(global_step=3), TrainerControl(), logs)
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert "NaN" not in line
    found = json.loads(line)
    assert (found["step"], found["grad_norm"], found["losses"]) == (3, None, {"a": 0.5})


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny_model):
    """The folders of a run that logs each step, and of the same run that logs every fifth one."""
    folders = {}
    for every in (1, 5):
        folder = tmp_path_factory.mktemp(f"every-{every}")
        folders[every] = train(write_run(folder, tiny_model, log_every=every, max_steps=13, evaluations=2)).folder
    return folders


def read_steps(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def test_a_log_of_every_fifth_step_has_the_means_and_loses_nothing(runs):
    each, fifth = (read_steps(folder) for folder in runs.values())
    # Dev is scored at 7 and 13.
    assert [(line["step"], line.get("steps", 1)) for line in fifth] == [(5, 5), (7, 2), (10, 3), (13, 3)]
    assert not any("steps" in line for line in each)
    rows = [line["rows_per_second"] * line["seconds"] for line in each]
    for line in fifth:
        own = each[line["step"] - line["steps"] : line["step"]]
        assert line["loss"] == pytest.approx(sum(one["loss"] for one in own) / len(own), rel=1e-5)
        for task, weight in line["weights"].items():
            had = [one["weights"][task] for one in own if task in one["losses"]]
            assert weight == pytest.approx(sum(had) / len(had), rel=1e-6)
        assert (line["learning_rate"], line["grad_norm"]) == (own[-1]["learning_rate"], own[-1]["grad_norm"])
        counted = sum(rows[line["step"] - line["steps"] : line["step"]])
        assert line["rows_per_second"] * line["seconds"] == pytest.approx(counted, abs=1)


def test_how_often_is_logged_changes_nothing_else(runs):
    (weights, _, metrics, best), (others, _, other_metrics, other_best) = map(outcome, runs.values())
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())
    assert (metrics, best) == (other_metrics, other_best)
    summary = json.loads((runs[5] / "summary.json").read_text())
    assert summary["steps"] == 13
    assert summary["seconds"] == pytest.approx(sum(line["seconds"] for line in read_steps(runs[5])), abs=0.06)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_log_of_every_fifth_step_after_a_kill_or_a_stop(runs, tmp_path, tiny_model, number):
    run_file = write_run(tmp_path, tiny_model, log_every=5, max_steps=13, evaluations=2)
    strike(run_file, 10, number)
    train(run_file, resume=True)
    weights, log, *_ = outcome(tmp_path / "run")
    expected, *_ = outcome(runs[5])
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights.items())
    logged = [line["step"] for line in log]
    assert logged == ([5, 7, 7, 10, 13, 13] if number == signal.SIGKILL else [5, 7, 7, 10, 11, 13, 13])
    assert sum(line.get("steps", 1) for line in log if "loss" in line) == 13


def test_a_gradient_that_is_not_finite_is_found_before_it_is_saved(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, log_every=5, max_steps=13, evaluations=2)
    clip = torch.nn.utils.clip_grad_norm_
    calls = []

    def spoil(parameters, *args, **options):
        parameters = list(parameters)
        calls.append(1)
        if len(calls) == 6:
            parameters[0].grad.fill_(math.nan)
        return clip(parameters, *args, **options)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spoil)
    with pytest.raises(NonFiniteLoss, match="Step 7: "):
        train(run_file)
    assert len(calls) == 6
    assert not list((tmp_path / "run" / "checkpoints").glob("*/complete"))
