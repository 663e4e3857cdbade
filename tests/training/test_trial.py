"""The step that is tried before a run leaves no trace, and is taken on the rows that show most."""

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from corpus import asked_data, run_data
from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.modeling import MultiTaskModel
from equipoise.training import PreparedRun, build_model, check, encode_table, train
from equipoise.training.trial import try_step


@pytest.fixture(params=["encoder", "llm"])
def run(request, tmp_path, tiny_model, tiny_llm):
    settings = {"max_steps": 3, "evaluations": 1}
    if request.param == "encoder":
        return make_config({**run_data(tmp_path, tiny_model, **settings), "output": str(tmp_path / "run")})
    data = asked_data(tmp_path, tiny_llm, freeze_layers=1, gradient_checkpointing=True, **settings)
    return make_config({**data, "output": str(tmp_path / "run")})


def load(run):
    table = load_table(run)
    model = build_model(run, table)
    return PreparedRun(run, table, model, encode_table(table, model)[0])


def test_it_leaves_no_trace(run):
    prepared = load(run)
    table, model = prepared.table, prepared.model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    for training in (True, False):
        model.train(training)
        try_step(prepared)
        assert model.training == training
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    np.testing.assert_array_equal(np.random.get_state()[1], states[2])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.tasks == table.tasks
    assert not run.output.exists()


def test_training_ends_with_the_same_bits(run, monkeypatch, tmp_path):
    def outcome():
        train(run, overwrite=True)
        files = [run.output / "model" / name for name in ("task_modules.safetensors", "backbone/model.safetensors")]
        scores = json.loads((run.output / "metrics.json").read_text())
        return {name: tensor for file in files for name, tensor in load_file(file).items()}, scores

    tried, scores = outcome()
    monkeypatch.setattr("equipoise.training.preparing.try_step", lambda *args: None)
    untried, expected = outcome()
    assert scores == expected
    assert all(torch.equal(tensor, untried[name]) for name, tensor in tried.items())


def test_two_rows_at_a_time_the_longest_and_the_highest_tokens(run, monkeypatch):
    prepared = load(run)
    seen, forward = [], MultiTaskModel.forward

    def watch(self, inputs, *args):
        seen.append(inputs["input_ids"])
        return forward(self, inputs, *args)

    monkeypatch.setattr(MultiTaskModel, "forward", watch)
    try_step(prepared)
    assert all(len(ids) <= 2 for ids in seen)
    tokens = prepared.rows["train"]["input_ids"][:]
    assert max(ids.shape[1] for ids in seen) >= max(map(len, tokens))
    assert max(int(ids.max()) for ids in seen) >= max(map(max, tokens))


def test_a_check_tries_too(run, monkeypatch):
    tried = []
    monkeypatch.setattr("equipoise.training.preparing.try_step", lambda *args: tried.append(args))
    check(run)
    assert len(tried) == 1
