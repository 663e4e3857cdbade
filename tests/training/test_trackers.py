"""What a run reports to experiment trackers."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from corpus import run_data
from equipoise.config import make_config
from equipoise.errors import TrainingError, UsageError
from equipoise.training import check, train


@pytest.fixture
def data(tmp_path, tiny_model):
    return run_data(tmp_path, tiny_model, max_steps=4, evaluations=2)


def reporting(data, *names):
    return make_config({**data, "train": {**data["train"], "report_to": list(names)}})


def test_tensorboard_gets_what_the_log_has(data, tmp_path):
    run = train(reporting(data, "tensorboard"))
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    scalars = {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert len(steps) == 4
    for line in steps:
        for task, loss in line["losses"].items():
            assert scalars[f"train/loss/{task}"][line["step"]] == pytest.approx(loss, rel=1e-5)
            assert scalars[f"train/weight/{task}"][line["step"]] == pytest.approx(line["weights"][task], rel=1e-5)
    for line in (line for line in lines if "dev" in line):
        for name, value in line["dev"].items():
            assert scalars[f"eval/{name}"][line["step"]] == pytest.approx(value, rel=1e-5, abs=1e-7)
    (text,) = events.Tensors("model_config/text_summary")
    told = json.loads(text.tensor_proto.string_val[0])
    assert told["train.max_steps"] == 4
    assert told["tasks.polarity.kind"] == "classification"
    # What TensorBoard reads is a run's own, and goes with it; the model does not know of it.
    assert not hasattr(train(reporting(data), overwrite=True), "config")
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_each_tracker_is_told_the_run_file_and_the_figures(data, monkeypatch):
    found = []

    class Fake(TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **kwargs):
            found.append(model.config.to_dict()["train.max_steps"])

        def on_log(self, args, state, control, logs=None, **kwargs):
            found.extend(name for name in logs if name in ("grad_norm", "eval_run_score"))

        def on_train_end(self, args, state, control, **kwargs):
            found.append("end")

    monkeypatch.setattr("equipoise.training.trackers.find_spec", lambda name: name)
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "trackio", Fake)
    train(reporting(data, "trackio"))
    assert found[0] == 4
    assert found[-1] == "end"
    assert (found.count("grad_norm"), found.count("eval_run_score")) == (4, 2)


def test_mistakes_are_found_before_training(data, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"train\.report_to.*'tensorbord'.*tensorboard"):
        reporting(data, "tensorbord")
    monkeypatch.setattr("equipoise.training.trackers.find_spec", lambda name: None)
    for call in (check, train):
        with pytest.raises(TrainingError, match=r"train\.report_to: wandb, mlflow is not .*pip install wandb mlf"):
            call(reporting(data, "wandb", "mlflow"))
    assert not (tmp_path / "run").exists()


def test_other_trackers_do_not_keep_a_run_from_going_on(data):
    run = train(reporting(data))
    assert train(reporting(data, "tensorboard"), resume=True).folder == run.folder
