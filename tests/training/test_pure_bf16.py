"""Weights in bfloat16, whose updates are rounded at random."""

import json
import signal
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

import equipoise
from corpus import asked_data, run_data, write_data, write_run
from equipoise import precision as precisions
from equipoise.config import load_config
from equipoise.errors import TrainingError, UsageError
from equipoise.training import callbacks, examine, prepare_run, train
from outcomes import assert_same
from processes import in_two_processes
from strike import strike

pytest.importorskip("torchao")
RATE = 1e-3
HAS_FAST = precisions._has_fast_bfloat16()


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    """Any processor computes in bfloat16; this one may do so slowly."""
    monkeypatch.setattr(precisions, "_has_fast_bfloat16", lambda: True)


def rounding(parameters, **options):
    from equipoise.training.rounding_adamw import RoundingAdamW

    return RoundingAdamW(parameters, lr=RATE, weight_decay=0.0, **options)


def some_weights(value=1.0):
    return torch.nn.Parameter(torch.full((64, 64), value, dtype=torch.bfloat16))


def walk(weights, optimizer, steps, gradient=1.0):
    """Return how far a gradient moves weights on average, in units of the learning rate."""
    before = weights.detach().float().mean()
    for _ in range(steps):
        weights.grad = torch.full_like(weights, gradient)
        optimizer.step()
    return float(before - weights.detach().float().mean()) / RATE


def test_no_update_is_lost_on_average():
    """Below one, bfloat16 has a number every 0.0039: an update of 0.001 is less than half of that."""
    weights = some_weights()
    assert walk(weights, torch.optim.AdamW([weights], lr=RATE, weight_decay=0.0), 20) == 0
    for value in (1.0, -1.0):
        weights = some_weights(value)
        assert walk(weights, rounding([weights]), 20) == pytest.approx(20, rel=0.05)
    assert len(weights.unique()) > 3


def test_weights_in_float32_are_those_of_adamw():
    ours, theirs = (torch.nn.Parameter(torch.ones(8, 8)) for _ in range(2))
    walk(ours, rounding([ours]), 5)
    walk(theirs, torch.optim.AdamW([theirs], lr=RATE, weight_decay=0.0), 5)
    torch.testing.assert_close(ours, theirs)


def test_the_second_moment_does_not_stop_short():
    """In bfloat16 it would stop at a quarter of what it has to reach, and a step be twice as long."""
    weights, moment = some_weights(), torch.zeros((), dtype=torch.bfloat16)
    optimizer = rounding([weights])
    walk(weights, optimizer, 3000)
    for _ in range(3000):
        moment = moment.lerp(torch.ones_like(moment), 0.001)
    assert moment < 0.5
    assert optimizer.state[weights]["exp_avg_sq"].mean() == pytest.approx(1 - 0.999**3000, rel=1e-3)


def test_a_loaded_state_goes_on_with_the_same_bits():
    whole, parts = some_weights(), some_weights()
    walk(whole, rounding([whole], seed=3), 6, 0.3)
    first = rounding([parts], seed=3)
    walk(parts, first, 4, 0.3)
    second = rounding([parts])
    second.load_state_dict(deepcopy(first.state_dict()))
    assert second.state[parts]["exp_avg"].dtype is torch.float32
    torch.rand(5)  # nothing of torch's random state matters
    walk(parts, second, 2, 0.3)
    assert torch.equal(whole, parts)
    other = some_weights()
    walk(other, rounding([other], seed=4), 6, 0.3)
    assert not torch.equal(whole, other)


def test_a_step_leaves_the_random_state_as_it_is():
    weights = some_weights()
    before = torch.get_rng_state()
    walk(weights, rounding([weights]), 1)
    assert torch.equal(torch.get_rng_state(), before)


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_holds_matrices_in_bfloat16_and_scores_in_float32(tmp_path, tiny_model, monkeypatch):
    held, computed = [], {True: set(), False: set()}
    end, linear = callbacks.ScoreOnSchedule.on_step_end, torch.nn.functional.linear

    def on_step_end(self, args, state, control, optimizer=None, **more):
        held.append({(p.ndim >= 2, p.dtype) for group in optimizer.param_groups[:2] for p in group["params"]})
        held.append({p.dtype for group in optimizer.param_groups[2:] for p in group["params"]})
        end(self, args, state, control, optimizer=optimizer, **more)

    def spy(inputs, weight, bias=None):
        output = linear(inputs, weight, bias)
        computed[torch.is_grad_enabled()].add(output.dtype)
        return output

    monkeypatch.setattr(callbacks.ScoreOnSchedule, "on_step_end", on_step_end)
    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    folders = {}
    for precision in ("fp32", "pure_bf16"):
        (tmp_path / precision).mkdir()
        folders[precision] = train(write_run(tmp_path / precision, tiny_model, precision=precision)).folder
    assert held[-2:] == [{(True, torch.bfloat16), (False, torch.float32)}, {torch.float32}]
    assert computed == {True: {torch.float32, torch.bfloat16}, False: {torch.float32}}
    exact, pure = (
        [line["dev"]["intensity/pearson"] for line in read_log(folder) if "dev" in line] for folder in folders.values()
    )
    assert pure[-1] == pytest.approx(exact[-1], abs=0.03)
    assert exact[-1] > 0.7
    saved = load_file(folders["pure_bf16"] / "model/backbone/model.safetensors")
    assert {tensor.dtype for tensor in saved.values() if tensor.ndim >= 2} == {torch.bfloat16}
    model = equipoise.load(folders["pure_bf16"]).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_saved_model_answers_as_it_was_scored(tmp_path, tiny_model):
    options = {"precision": "pure_bf16", "max_steps": 6, "evaluations": 1}
    run_file = write_run(tmp_path, tiny_model, **options)
    folder = train(run_file).folder
    scored = np.load(folder / "predictions.npz")["test/intensity"]
    table = prepare_run(load_config(run_file)).table
    texts = table.splits["test"].select(table.rows("intensity", "test"))["text"]
    answers = equipoise.load(folder).predict(list(texts), tasks=["intensity"])
    assert [answer["intensity"]["score"] for answer in answers] == pytest.approx(scored.tolist(), abs=1e-5)


@pytest.mark.skipif(not HAS_FAST, reason="another process asks the processor")
@pytest.mark.parametrize(
    ("options", "step", "moment"),
    # After the last step no more is trained: frozen weights have to be rounded all the same.
    [({}, 8, "log"), ({"gradient_accumulation": 2, "freeze_layers": 1}, 14, "saved")],
)
def test_killed_and_resumed(tmp_path, tiny_model, options, step, moment):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    options = {"precision": "pure_bf16", "max_steps": 14, "evaluations": 3, **options}
    train(write_run(tmp_path / "whole", tiny_model, **options))
    run_file = write_run(tmp_path / "killed", tiny_model, **options)
    assert strike(run_file, step, signal.SIGKILL, moment).exit_code == -signal.SIGKILL
    train(run_file, resume=True)
    assert_same(tmp_path / "whole" / "run", tmp_path / "killed" / "run")


def train_and_compare(run_file):
    precisions._has_fast_bfloat16 = lambda: True
    end = callbacks.ScoreOnSchedule.on_step_end

    def on_step_end(self, args, state, control, optimizer=None, **more):
        ours = torch.cat([p.detach().float().flatten() for g in optimizer.param_groups for p in g["params"]])
        first = ours.clone()
        dist.broadcast(first, 0)
        assert torch.equal(first, ours), f"step {state.global_step}"
        end(self, args, state, control, optimizer=optimizer, **more)

    callbacks.ScoreOnSchedule.on_step_end = on_step_end
    train(run_file)


def test_two_processes_round_alike(tmp_path, tiny_model):
    """Dropout and batches of other lengths have moved their random states apart."""
    run_file = write_run(tmp_path, tiny_model, batch_size=8, precision="pure_bf16", max_steps=6, evaluations=1)
    ended = in_two_processes(train_and_compare, run_file)
    assert [process.exit_code for process in ended] == [0, 0], ended


@pytest.mark.parametrize("balance", ["dao", {"name": "pcgrad", "where": "parameters"}, "gradnorm"])
def test_a_prompted_language_model_and_other_balancers(tmp_path, tiny_llm, balance):
    data = asked_data(
        tmp_path, tiny_llm, precision="pure_bf16", max_steps=3, evaluations=1, gradient_checkpointing=True
    )
    data["tasks"] = {task: data["tasks"][task] for task in ("tone", "title", "intensity")}
    folder = train(write_data(tmp_path, {**data, "balance": balance})).folder
    losses = [line["losses"] for line in read_log(folder) if "losses" in line]
    assert len(losses) == 3
    assert sum(losses[-1].values()) < sum(losses[0].values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "bilstm"}, "model: found bilstm, expected a pretrained model"),
        ({"lora": {}}, "lora: found an adapter, expected none"),
    ],
)
def test_what_does_not_go_with_it_is_refused(tmp_path, tiny_model, changes, message):
    data = {**run_data(tmp_path, tiny_model, precision="pure_bf16"), **changes}
    with pytest.raises(UsageError, match=f"{message} with train.precision: pure_bf16; change it, or use bf16"):
        train(write_data(tmp_path, data))
    assert not (tmp_path / "run").exists()


def test_it_is_refused_where_the_processor_or_the_package_is_missing(tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, precision="pure_bf16")
    with monkeypatch.context() as patched:
        patched.setattr("equipoise.extras.find_spec", lambda package: None)
        with pytest.raises(UsageError, match=r'pure_bf16: torchao, .*pip install "equipoise\[torchao\]"'):
            train(run_file)
    monkeypatch.setattr(precisions, "_has_fast_bfloat16", lambda: False)
    with pytest.raises(TrainingError, match="found pure_bf16 on a device without fast bfloat16"):
        train(run_file)
    assert not (tmp_path / "run").exists()


def test_check_reckons_twelve_bytes_for_a_number(tmp_path, tiny_model):
    config = load_config(write_run(tmp_path, tiny_model, precision="pure_bf16"))
    (needs,) = [finding for finding in examine(config, fast=True).findings if finding.code == "R04"]
    model = prepare_run(config).model
    numbers = sum(parameter.numel() for parameter in model.parameters())
    matrices = sum(parameter.numel() for parameter in model.backbone.parameters() if parameter.ndim >= 2)
    assert needs.message.startswith(f"{(16 * numbers - 4 * matrices) / 1e6:.1f} MB on one device")
