"""New tasks on a model that is trained along, its old answers kept."""

import json
import shutil
import sys

import datasets
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import equipoise
from corpus import run_data, words_data
from equipoise.balancing import DynamicAdaptiveLoss, EqualWeights
from equipoise.cli import main
from equipoise.config import make_config
from equipoise.data import Collator, FlatRows
from equipoise.errors import ModelError, OutputError, TrainingError, UsageError
from equipoise.kinds import Extraction
from equipoise.modeling import add_adapter, infer_outputs, load
from equipoise.training import add_task, adding_tuned, train
from equipoise.training.callbacks import RunLog, StopOnSignal
from equipoise.training.keeping import KeepingBalancer, KeepingCollator
from prompted import PAIRS, TEXTS, make_model, make_tasks

ASKED = ["good great film", "bad awful phone 3", "so so", "the best camera and a poor battery"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(make_config(run_data(tmp_path_factory.mktemp("old"), tiny_model, epochs=3))).folder


def new_data(folder, tiny_model, **train):
    """A run file with a task that the model does not have."""
    data = words_data(folder, tiny_model, **{"epochs": 1, "evaluations": 2, **train})
    data["tasks"] = {"words": data["tasks"]["words"]}
    return data


@pytest.fixture(scope="module")
def tuned(run, tmp_path_factory, tiny_model):
    """Models with a new task, by how much the old ones are protected."""
    folder = tmp_path_factory.mktemp("new")
    return {
        protect: add_task(run, make_config(new_data(folder, tiny_model, protect=protect)), folder / f"out{protect}")
        for protect in (0.0, 1.0)
    }


def weights(folder):
    return {
        f"{path.name}:{name}": tensor
        for path in sorted(folder.rglob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def assert_same_model(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("task", ["intensity", "polarity", "towards"])
def test_old_answers_are_nearer_with_protection(run, tuned, task):
    def ask(folder):
        answers = equipoise.load(folder).predict(ASKED, pair=["film", "phone", "price", "camera"])
        return [list(answer[task].get("probabilities", {"": answer[task].get("score")}).values()) for answer in answers]

    old, with_, without = ask(run), ask(tuned[1.0].folder), ask(tuned[0.0].folder)
    near, far = (np.square(np.subtract(old, found)).mean() for found in (with_, without))
    assert 0 < near < 0.5 * far


def test_old_tasks_are_scored_and_calibrated_again(run, tuned):
    added = tuned[1.0]
    assert added.added == ("words",)
    scored = {(one["task"], one["model"], one["split"]) for one in added.records}
    old = {(name, model, "test") for name in ("intensity", "polarity", "towards") for model in ("before", "after")}
    assert scored == {*old, ("words", "after", "test")}
    before, after = load(run).tasks, load(added.folder).tasks
    assert list(after) == [*before, "words"]
    for name, task in before.items():
        assert task.conformity.rows == after[name].conformity.rows
        assert task.conformity != after[name].conformity
        assert task.view == after[name].view


def test_the_training_keeps_its_log_and_no_checkpoint(tuned):
    folder = tuned[1.0].folder.with_name("out1.0-training")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert lines[0]["losses"].keys() == {"intensity", "polarity", "towards", "words"}
    assert lines[0]["weights"]["polarity"] == 1.0
    assert lines[0]["losses"]["polarity"] < 0.1 < lines[0]["losses"]["words"]
    assert not (folder / "checkpoints").exists()
    alone = tuned[0.0].folder.with_name("out0.0-training")
    assert json.loads((alone / "log.jsonl").read_text().splitlines()[0])["losses"].keys() == {"words"}


def test_without_old_data_old_answers_are_the_labels(run, tmp_path, tiny_model):
    shutil.copytree(run / "model", tmp_path / "model")
    data = new_data(tmp_path, tiny_model, max_steps=2, freeze_layers=1)
    added = add_task(tmp_path / "model", make_config(data), tmp_path / "out")
    scored = {(one["task"], one["model"], one["split"]): one for one in added.records}
    assert scored.keys() == {
        ("words", "after", "test"),
        *((name, "after", "old answers") for name in ("intensity", "polarity", "towards")),
    }
    old, new = load(tmp_path / "model").tasks["polarity"], load(added.folder).tasks["polarity"]
    assert new == old.replace(conformity=None)
    assert "temperatures and thresholds of the old tasks are kept" in " ".join(added.notes)
    one, other = weights(tmp_path / "model"), weights(tmp_path / "out")
    changed = {name.partition(":")[2] for name in one if not torch.equal(one[name], other[name])}
    assert changed
    assert not any("layer.0" in name or "embeddings" in name for name in changed)


class _KilledError(Exception):
    pass


def test_stopped_or_killed_it_continues(run, tuned, tmp_path, tiny_model, monkeypatch):
    data = new_data(tmp_path, tiny_model, protect=1.0)
    out = tmp_path / "out"

    def start(**changes):
        return add_task(run, make_config({**data, "train": {**data["train"], **changes}}), out)

    with monkeypatch.context() as patched:
        patched.setattr(StopOnSignal, "on_step_end", _stop_at(2))
        with pytest.raises(TrainingError, match=r"Stopped at step 2 of \d+; .* Run the same command again"):
            start()
    assert not out.exists()
    with monkeypatch.context() as patched:
        patched.setattr(RunLog, "on_log", _fail_at(6, RunLog.on_log))
        with pytest.raises(_KilledError):
            start()
    with pytest.raises(TrainingError, match=r"train\.protect: 1\.0 there, 0\.5 now.*--overwrite"):
        start(protect=0.5)
    with monkeypatch.context() as patched:
        patched.setattr(adding_tuned, "score_test", _fail)
        with pytest.raises(_KilledError):
            start()
    assert not out.exists()
    assert start().records == tuned[1.0].records
    assert_same_model(out, tuned[1.0].folder)
    with pytest.raises(OutputError, match="replace it with --overwrite"):
        start()


def _stop_at(step):
    def stop(self, args, state, control, **kwargs):
        control.should_save = control.should_training_stop = state.global_step == step

    return stop


def _fail_at(step, then):
    def fail(self, args, state, control, logs=None, **kwargs):
        if state.global_step == step:
            raise _KilledError
        then(self, args, state, control, logs=logs, **kwargs)

    return fail


def _fail(*args, **kwargs):
    raise _KilledError


def test_every_row_has_the_answers_of_its_own(tiny_llm):
    common = ("s", "text", "pair", "label")
    tasks = make_tasks("pair", emotions="head")
    del tasks["title"]
    tasks["terms"] = Extraction("terms", *common, "extraction_f1", ("good", "bad"))
    model = make_model(tiny_llm, tasks)
    data = datasets.Dataset.from_dict({"text": list(TEXTS), "pair": list(PAIRS)})
    rows, _ = model.encode_rows(data, dict.fromkeys(tasks, np.arange(len(TEXTS))))
    answers = infer_outputs(model, rows, list(tasks), batch_size=3)
    collate = KeepingCollator(Collator(model.tokenizer, {}), model, answers)
    batch = collate(FlatRows(rows).take([2, 0, 3]))
    with torch.no_grad():
        outputs = model(batch["inputs"], batch["rows"], batch["scored"])
    losses = model.distillation_losses(outputs, batch["answers"])
    assert {name: len(loss) for name, loss in losses.items()} == {name: len(batch["rows"][name]) for name in tasks}
    assert max(float(loss.max()) for loss in losses.values()) < 1e-6
    assert len(losses["terms"]) > len(losses["polarity"]) == 3
    wrong = {**batch["answers"], "polarity": batch["answers"]["polarity"].flip(0)}
    assert float(model.distillation_losses(outputs, wrong)["polarity"].max()) > 1e-3


def test_distances_have_a_fixed_weight():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    balance = KeepingBalancer(DynamicAdaptiveLoss(["score", "polarity"]), ["old", "older"], 0.5)
    assert balance.needs_gradients
    entries = {"score": features[:, 0], "polarity": 3.0 * features[:, 1]}
    kept = {"old": torch.tensor([2.0, 4.0]), "older": torch.tensor([1.0])}
    loss = balance({**entries, **kept}, features=features)
    assert loss.item() == pytest.approx(1.5 * 0.5 + 0.5 * 1.5 + 0.5 * (3.0 + 1.0))
    assert balance.weights == {"score": 1.5, "polarity": 0.5, "old": 0.5, "older": 0.5}
    assert balance.losses == {"score": 0.5, "polarity": 1.5, "old": 3.0, "older": 1.0}
    again = KeepingBalancer(DynamicAdaptiveLoss(["score", "polarity"]), ["old", "older"], 0.5)
    again.load_state_dict(balance.state_dict())
    counted = KeepingBalancer(EqualWeights(["score"]), ["old"], 2.0)
    counts = {"score": 4, "old": 8}
    loss = counted({"score": torch.ones(2), "old": torch.ones(4)}, counts=counts)
    assert loss.item() == pytest.approx(2 / 4 + 2.0 * 4 / 8)


def test_an_adapter_is_trained_along(run, tmp_path, tiny_model):
    pytest.importorskip("peft")
    model = load(run).model
    # The base is named, and only the adapter is saved.
    model.backbone.save_pretrained(tmp_path / "base")
    model.tokenizer.save_pretrained(tmp_path / "base")
    model.base = str(tmp_path / "base")
    add_adapter(model.backbone, rank=2)
    model.save_pretrained(tmp_path / "model")
    added = add_task(tmp_path / "model", make_config(new_data(tmp_path, tiny_model, max_steps=2)), tmp_path / "out")
    one, other = weights(tmp_path / "model"), weights(added.folder)
    assert not any(torch.equal(one[name], other[name]) for name in one if ".lora_B" in name)
    assert set(load(added.folder).tasks) == {"intensity", "polarity", "towards", "words"}


def test_a_model_that_is_prompted_takes_a_head_and_a_prompt(tmp_path, tiny_model, tiny_llm):
    tasks = {name: task for name, task in make_tasks().items() if name in ("polarity", "intensity")}
    make_model(tiny_llm, tasks).save_pretrained(tmp_path / "model")
    data = new_data(tmp_path, tiny_model, max_steps=1, evaluations=1)
    words = data["tasks"]["words"]
    data["tasks"]["kinds"] = {**words, "format": "prompt", "template": "{text}\n{label}?"}
    added = add_task(tmp_path / "model", make_config(data), tmp_path / "out")
    assert {(one["task"], one["split"]) for one in added.records} == {
        ("words", "test"),
        ("kinds", "test"),
        ("polarity", "old answers"),
        ("intensity", "old answers"),
    }
    answer = equipoise.load(added.folder).predict(["good great film"])[0]
    assert answer.keys() == {"text", "polarity", "intensity", "words", "kinds"}


def test_the_command_says_what_stands_in_the_way(run, tmp_path, tiny_model, capsys, monkeypatch):
    path = tmp_path / "new.yaml"
    data = new_data(tmp_path, tiny_model)
    path.write_text(json.dumps({**data, "lora": {}}))
    monkeypatch.setattr(sys, "argv", ["equipoise", "add-task", str(run), str(path), "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "lora: found it in the run file of add-task, expected none" in capsys.readouterr().err


def test_mistakes(run, tmp_path, tiny_model, tiny_llm):
    data = new_data(tmp_path, tiny_model)
    words = data["tasks"]["words"]

    def refuse(error, match, model=run, out="out", **changes):
        with pytest.raises(error, match=match):
            add_task(model, make_config({**data, **changes}), tmp_path / out)
        assert {path.name for path in tmp_path.iterdir()} <= {"reviews.csv", "words.csv", "writes"}

    refuse(UsageError, r"tasks\.polarity: the model has a task of this name already", tasks={"polarity": words})
    refuse(UsageError, "curriculum: found it", curriculum={"schedule": "competence"})
    pure = {**data["train"], "precision": "pure_bf16"}
    refuse(UsageError, "train.precision: found it .* rounded weights would change the old answers", train=pure)
    asked = {**words, "format": "prompt"}
    refuse(UsageError, r"tasks\.words: found the format prompt", tasks={"words": asked})
    refuse(ModelError, "nothing", model=tmp_path / "nothing")
    make_model(tiny_llm, make_tasks()).save_pretrained(tmp_path / "writes")
    refuse(ModelError, "task 'title' of the model writes text", model=tmp_path / "writes")


@pytest.mark.parametrize("value", [{"tasks": {}}, None, 3])
def test_what_is_no_path_is_said_to_be_none(run, value):
    name = type(value).__name__
    with pytest.raises(UsageError, match=rf"add_task\(\), run_file: found {name}, expected a path"):
        equipoise.add_task(run, value, "out")
    with pytest.raises(UsageError, match=rf"load\(\): found {name}, expected a path"):
        equipoise.load(value)
    with pytest.raises(UsageError, match=r"found characters that no path can have in 'a.x00b'"):
        equipoise.load("a\0b")
