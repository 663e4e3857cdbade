"""A run of a backbone that starts from nothing."""

import json

import pytest
import torch
from safetensors.torch import load_file

import equipoise
from corpus import GOOD, run_data
from equipoise.config import make_config
from equipoise.training import train


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return train(make_config(run_data(tmp_path_factory.mktemp("bilstm"), "bilstm", epochs=3)))


def test_every_task_learns(finished):
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    for task in ("intensity", "polarity", "towards"):
        losses = [line["losses"][task] for line in lines if task in line.get("losses", {})]
        early, late = losses[: len(losses) // 5], losses[-len(losses) // 5 :]
        assert sum(late) / len(late) < 0.8 * sum(early) / len(early)
    assert finished.run_score > 0.5


def test_the_vocabulary_holds_words_of_train_only(finished):
    words = json.loads((finished.folder / "model" / "backbone" / "tokenizer.json").read_text())["model"]["vocab"]
    assert set(GOOD) < set(words)
    # Each text ends with a number of its own, which stands in one row.
    assert not any(word.isdigit() and int(word) > 20 for word in words)


def test_the_model_answers(finished):
    answers = equipoise.load(finished.folder, "cpu").predict(["good great film", "awful boring film"], "film")
    assert [answer["polarity"]["label"] for answer in answers] == ["positive", "negative"]


def test_the_same_seed_gives_the_same_model(tmp_path):
    def weights(name):
        data = run_data(tmp_path, "bilstm", max_steps=2, evaluations=1) | {"output": str(tmp_path / name)}
        model = train(make_config(data)).folder / "model"
        return load_file(model / "backbone" / "model.safetensors") | load_file(model / "task_modules.safetensors")

    one, again = weights("one"), weights("again")
    assert one["pooling.query"].any()
    assert all(torch.equal(tensor, again[name]) for name, tensor in one.items())
