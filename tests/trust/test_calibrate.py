"""`equipoise calibrate`: a model from before there was calibration, in place, whole or not at all."""

import json
import shutil

import pytest
from typer.testing import CliRunner

import equipoise
from equipoise.cli import app
from equipoise.config import load_config
from equipoise.errors import ModelError
from equipoise.evaluation import UNCALIBRATED
from equipoise.modeling import saving


@pytest.fixture
def former(trusted, tmp_path):
    """Return a copy of the model as it would be without calibration."""
    shutil.copytree(trusted.folder / "model", tmp_path / "model")
    path = tmp_path / "model" / "equipoise.json"
    said = json.loads(path.read_text())
    for task in said["tasks"].values():
        del task["calibration"], task["conformity"]
    said["tasks"]["words"]["thresholds"] = [0.5, 0.5]
    said["tasks"]["polarity"] |= {"decision": "argmax", "class_weights": []}
    path.write_text(json.dumps(said))
    return tmp_path / "model"


def test_a_model_from_before_is_as_if_it_were_trained_now(trusted, former):
    with pytest.raises(ModelError, match=r"not calibrated; run `equipoise calibrate MODEL RUN\.yaml`"):
        equipoise.load(former).predict("good", level=0.9)
    records = equipoise.calibrate(former, trusted.folder / "config.yaml")
    assert {one["model"] for one in records} == {"run", UNCALIBRATED}
    found, expected = equipoise.load(former).tasks, equipoise.load(trusted.folder).tasks
    for name, task in found.items():
        assert task.conformity.rows == expected[name].conformity.rows
        assert task.calibration.temperature == pytest.approx(expected[name].calibration.temperature, rel=1e-3)
        assert task.calibration.slope == pytest.approx(expected[name].calibration.slope, rel=1e-3)
    assert found["polarity"].decision == "macro_f1"
    assert equipoise.load(former).predict("good", level=0.9)[0]["polarity"]["set"]
    # Twice is once.
    equipoise.calibrate(former, trusted.folder / "config.yaml")
    assert equipoise.load(former).tasks == found
    assert equipoise.evaluate(former, trusted.folder / "config.yaml")


def test_the_command_shows_before_and_after(trusted, former, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    result = CliRunner().invoke(app, ["calibrate", str(former), str(trusted.folder / "config.yaml")])
    assert result.exit_code == 0, result.output
    for words in ("Results on dev", "uncalibrated", "ECE", "Brier", "MSE"):
        assert words in result.output


def test_a_kill_leaves_the_model_as_it_was(trusted, former, monkeypatch):
    before = (former / "equipoise.json").read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_json", full)
    with pytest.raises(ModelError, match=r"cannot be written .* the model is as it was"):
        equipoise.calibrate(former, load_config(trusted.folder / "config.yaml"))
    assert (former / "equipoise.json").read_bytes() == before
