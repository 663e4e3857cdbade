"""Run files, models and checkpoints from before names were changed are still read."""

import importlib
import json
import warnings

import pytest
import safetensors.torch
import torch

import equipoise
from corpus import asked_data, write_data
from equipoise.config import load_config
from equipoise.errors import EquipoiseWarning
from equipoise.kinds import Classification, task_from_dict
from equipoise.training.trained_weights import load_weights
from prompted import make_model, make_tasks


def with_former_names(data):
    """The keys and values as they were."""
    for task in data["tasks"].values():
        task["format"] = {"prompt": "instruct", "head": "module"}[task.get("format", "head")]
    return data


def test_a_run_file_says_once_what_is_called_otherwise_now(tmp_path, tiny_llm):
    data = asked_data(tmp_path, tiny_llm)
    del data["tasks"]["title"]
    data["tasks"]["tone"]["verbalize"] = {"positive": "good"}
    now = load_config(write_data(tmp_path, data))
    data["tasks"]["tone"]["verbalise"] = data["tasks"]["tone"].pop("verbalize")
    with pytest.warns(EquipoiseWarning) as caught:
        then = load_config(write_data(tmp_path, with_former_names(data)))
    assert [str(warning.message).partition(": ")[2] for warning in caught] == [
        "'verbalise' is now 'verbalize'; format: instruct is now format: prompt; format: module is now format: head. "
        "The former names are read for now."
    ]
    assert then.open_tasks() == now.open_tasks()


def test_keys_of_other_kinds_that_are_empty_say_nothing(tmp_path, tiny_model):
    """As in the configuration of a run from before each kind had keys of its own."""
    data = asked_data(tmp_path, tiny_model)
    every = dict.fromkeys(["range", "classes", "from_score", "separator", "max_new_tokens", "beams", "verbalise"])
    data["tasks"] = {name: {**every, **task} for name, task in data["tasks"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tasks = load_config(write_data(tmp_path, data)).open_tasks()
    assert tasks["strength"].range == (-1, 1)


def test_a_task_of_a_model_from_before():
    task = Classification(
        "t", "s", "text", None, "label", "macro_f1", ("a", "b"), format="prompt", verbalize={"a": "A"}
    )
    before = task.to_dict() | {"format": "instruct"}
    before["verbalise"] = before.pop("verbalize")
    assert task_from_dict(before) == task


def test_a_model_from_before_predicts_the_same(tmp_path, tiny_llm):
    model = make_model(tiny_llm, make_tasks(polarity="head"))
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "equipoise.json"
    before = with_former_names(json.loads(path.read_text())) | {"format_version": 1}
    expected = equipoise.load(tmp_path / "model").predict("a good film")
    path.write_text(json.dumps(before))
    assert equipoise.load(tmp_path / "model").predict("a good film") == expected


def test_a_checkpoint_from_before_is_resumed(tmp_path, tiny_model):
    model = make_model(tiny_model, {"polarity": make_tasks(polarity="head")["polarity"]}, 64)
    weights = {name.replace("_heads.", "_task_modules."): one.clone() + 1 for name, one in model.state_dict().items()}
    assert any("_task_modules." in name for name in weights)
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    expected = {name: one + 1 for name, one in model.state_dict().items()}
    load_weights(model, tmp_path)
    assert all(torch.equal(one, expected[name]) for name, one in model.state_dict().items())


def test_names_in_python_from_before(tiny_model):
    model = make_model(tiny_model, {"polarity": make_tasks(polarity="head")["polarity"]}, 64)
    with pytest.warns(EquipoiseWarning, match="is now MultiTaskModel.head"):
        assert model.task_module("polarity") is model.head("polarity")
    with pytest.warns(EquipoiseWarning, match="is now equipoise.kinds"):
        tasks = importlib.import_module("equipoise.tasks")
    assert tasks.Classification is Classification
