"""New tasks on a trained model."""

import json
import sys

import numpy as np
import pytest
import torch

import equipoise
from corpus import run_data, words_data, write_corpus
from equipoise.cli import main
from equipoise.config import make_config
from equipoise.errors import EquipoiseError, ModelError, OutputError, UsageError
from equipoise.kinds import Classification, ClassProbe
from equipoise.modeling.heads import make_head
from equipoise.training import add_task, train
from prompted import make_model, make_tasks

KINDS = {
    "mood": {"kind": "classification", "label": "label"},
    "strength": {"kind": "regression", "label": "score", "range": [-1, 1]},
    "kinds": {"kind": "multilabel", "label": "words", "separator": "|"},
    "level": {"kind": "ordinal", "label": "label", "classes": ["negative", "neutral", "positive"]},
    "aimed": {"kind": "classification", "pair": "aspect", "label": "label"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(make_config(run_data(tmp_path_factory.mktemp("old"), tiny_model, epochs=4))).folder


@pytest.fixture(scope="module")
def new(run, tmp_path_factory, tiny_model):
    """A run file with new tasks on the same texts, and a model with them."""
    folder = tmp_path_factory.mktemp("new")
    data = words_data(folder, tiny_model)
    data["tasks"] = {name: {"source": "reviews", **task} for name, task in KINDS.items()}
    return data, add_task(run, make_config(data), folder / "out", freeze=True)


def values(added, model, metric=None):
    return {
        record["task"]: record["value"]
        for record in added.records
        if record["model"] == model and record["metric"] == added.tasks[record["task"]].metric
    }


def test_all_kinds_are_learnt_and_the_old_tasks_stay(run, new):
    _, added = new
    before, after = values(added, "before"), values(added, "after")
    assert set(before) == {"intensity", "polarity", "towards"}
    assert {name: after[name] for name in before} == before
    assert set(after) == {*before, *KINDS}
    assert after["strength"] > 0.5
    assert after["level"] > 0.5
    texts = ["good great film", "bad awful phone 3"]
    old, both = (equipoise.load(folder).predict(texts, "film") for folder in (run, added.folder))
    for one, other in zip(old, both, strict=True):
        assert {name: other[name] for name in one} == one
        assert set(other) == {*one, *KINDS}


def test_the_head_is_the_linear_model_exactly():
    features = np.random.default_rng(0).normal(3, 2, (40, 32))
    labels = (features[:, 0] > 3).astype(int) + (features[:, 1] > 4)
    probe = ClassProbe(1.0, 3).fit(features, labels)
    task = Classification("t", "s", "text", None, "label", "macro_f1", ("a", "b", "c"))
    head = make_head(task, 32).eval()
    head.become_linear(*probe.as_layer())
    with torch.no_grad():
        found = head.predict(head(torch.from_numpy(features).float())).numpy()
    np.testing.assert_allclose(found, probe.predict(features), atol=1e-5)
    many = make_head(task.replace(classes=tuple("abcdefghijklmnopq")), 32)
    with pytest.raises(ModelError, match="found 17 classes, expected 16 at most"):
        many.become_linear(np.zeros((17, 32)), np.zeros(17))


def test_a_few_rows_are_scored_by_cross_validation(run, tmp_path, tiny_model):
    write_corpus(tmp_path, rows=24, seed=5)
    data = run_data(tmp_path, tiny_model)
    data["sources"]["reviews"]["split"] = [1, 0, 0]
    data["tasks"] = {"mood": {"source": "reviews", "kind": "classification", "label": "label"}}
    added = add_task(run, make_config(data), tmp_path / "out", check=run / "config.yaml", freeze=True)
    (record,) = (one for one in added.records if one["task"] == "mood" and one["metric"] == "macro_f1")
    assert (record["split"], record["model"], record["n"]) == ("cross-validation", "after", 24)
    assert record["low"] <= record["value"] <= record["high"]
    assert added.penalties["mood"] > 0
    assert "auxiliary" not in " ".join(added.notes)
    answer = equipoise.load(added.folder).predict("good", tasks="mood")[0]["mood"]
    assert set(answer["probabilities"]) == {"negative", "neutral", "positive"}
    again = add_task(run, make_config(data), tmp_path / "again", check=run / "config.yaml", freeze=True)
    assert again.records == added.records


def test_more_can_be_added_and_explained(new, tmp_path, tiny_model):
    data, added = new
    more = {**data, "tasks": {"tone": data["tasks"]["mood"]}}
    again = add_task(added.folder, make_config(more), tmp_path / "out", freeze=True)
    assert again.added == ("tone",)
    assert "old tasks are not scored" in " ".join(again.notes)
    answer = equipoise.load(again.folder).predict("good film", tasks="tone", explain=True)[0]["tone"]
    assert [word["word"] for word in answer["words"]] == ["good", "film"]


def test_the_command(run, new, tmp_path, capsys, monkeypatch):
    data, _ = new
    path = tmp_path / "new.yaml"
    path.write_text(json.dumps({**data, "tasks": {"mood": data["tasks"]["mood"]}}))

    def call(*options):
        arguments = ["add-task", str(run), str(path), "-o", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", ["equipoise", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code, capsys.readouterr()

    code, said = call("--freeze", "--metrics", str(tmp_path / "metrics.json"))
    assert not code, said.err
    assert "mood" in said.out
    assert "before" in said.out
    assert {one["model"] for one in json.loads((tmp_path / "metrics.json").read_text())} == {"before", "after"}
    code, said = call("--freeze")
    assert code == 1
    assert "--overwrite" in said.err


def test_mistakes(run, new, tmp_path, tiny_model, tiny_llm):
    data, _ = new

    def refuse(error, match, model=run, **tasks):
        with pytest.raises(error, match=match):
            add_task(model, make_config({**data, "tasks": tasks}), tmp_path / "out", freeze=True)
        assert not (tmp_path / "out").exists()

    mood = data["tasks"]["mood"]
    refuse(UsageError, r"tasks\.polarity: the model has a task of this name already", polarity=mood)
    title = {"source": "reviews", "kind": "generation", "label": "title"}
    refuse(UsageError, r"tasks\.title: found kind generation in the format prompt", title=title)
    make_model(tiny_llm, make_tasks(intensity="head")).save_pretrained(tmp_path / "prompted")
    refuse(ModelError, "answers prompts", model=tmp_path / "prompted", mood=mood)
    with pytest.raises(OutputError):
        add_task(run, make_config({**data, "tasks": {"mood": mood}}), run / "model", overwrite=True)
    with pytest.raises(EquipoiseError, match="nothing"):
        add_task(tmp_path / "nothing", make_config({**data, "tasks": {"mood": mood}}), tmp_path / "out")
