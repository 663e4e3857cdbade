"""A run is calibrated on dev once, keeps what was before, and every way to its answers sees the same."""

import json

import numpy as np
import pytest

import equipoise
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.evaluation import UNCALIBRATED, tune_tasks
from equipoise.modeling import MultiTaskModel
from equipoise.reporting import write_report
from equipoise.training import train
from trust_data import trust_data

CALIBRATED = {"intensity": "mse", "polarity": "brier", "stars": "brier", "words": "brier"}


def values(run, split="test"):
    return {(one["model"], one["task"], one["metric"]): one["value"] for one in run.records if one["split"] == split}


def arrays(run):
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as found:
        return dict(found)


def test_every_task_is_calibrated_and_scored_before_and_after(trusted):
    tasks = equipoise.load(trusted.folder).tasks
    assert tasks.keys() == CALIBRATED.keys()
    assert all(task.calibration is not None and task.calibration.rows > 150 for task in tasks.values())
    dev = values(trusted, "dev")
    for name, metric in CALIBRATED.items():
        assert dev["run", name, metric] <= dev[UNCALIBRATED, name, metric] + 1e-3
    before = {(task, metric) for model, task, metric in values(trusted) if model == UNCALIBRATED}
    assert before == {
        ("intensity", "mse"),
        ("intensity", "mae"),
        *((task, metric) for task in ("polarity", "stars", "words") for metric in ("ece", "brier", "aurc")),
    }


def test_predictions_are_kept_before_and_after(trusted):
    found, tasks = arrays(trusted), equipoise.load(trusted.folder).tasks
    for name, task in tasks.items():
        for split in ("dev", "test"):
            raw, after = found[f"{split}/{name}/raw"], found[f"{split}/{name}"]
            assert not np.allclose(raw, after)
            np.testing.assert_array_equal(task.calibrate(raw), after)
            again = task.calibrated(found[f"dev/{name}/raw"], found[f"dev/{name}/gold"])
            assert again.calibration == task.calibration


def test_evaluate_and_predict_give_the_same(trusted):
    records = equipoise.evaluate(trusted.folder, trusted.folder / "config.yaml")
    assert records == [record for record in trusted.records if record["split"] == "test"]
    table = load_table(load_config(trusted.folder / "config.yaml"))
    rows = table.rows("polarity", "test")[:40]
    answers = equipoise.load(trusted.folder).predict(table.splits["test"][rows]["text"])
    found = arrays(trusted)
    for name, read in {
        "intensity": lambda one: one["score"],
        "polarity": lambda one: list(one["probabilities"].values()),
        "words": lambda one: list(one["probabilities"].values()),
    }.items():
        np.testing.assert_allclose([read(answer[name]) for answer in answers], found[f"test/{name}"][:40], atol=1e-5)
    decided = found["test/polarity/decided"][:40].argmax(axis=1)
    assert [answer["polarity"]["label"] for answer in answers] == [
        ("negative", "neutral", "positive")[number] for number in decided
    ]


def test_saving_again_and_tuning_again_calibrate_once(trusted, tmp_path):
    model = MultiTaskModel.from_pretrained(trusted.folder / "model")
    model.save_pretrained(tmp_path / "model")
    assert MultiTaskModel.from_pretrained(tmp_path / "model").tasks == model.tasks
    table = load_table(load_config(trusted.folder / "config.yaml"), fitted=dict(model.tasks))
    found = arrays(trusted)
    raw = {name: found[f"dev/{name}/raw"] for name in model.tasks}
    assert tune_tasks(raw, table, calibrate=True).tasks == table.tasks
    without = tune_tasks(raw, table)
    assert all(task.calibration is None for task in without.tasks.values())
    for name in ("polarity", "stars", "words"):
        decided = table.tasks[name].without_calibration().decide(raw[name])
        expected = found.get(f"dev/{name}/decided")
        if name == "polarity":
            decided, expected = decided.argmax(axis=1), expected.argmax(axis=1)
        np.testing.assert_array_equal(decided, expected)


def test_without_calibration_a_run_is_as_it_was(trusted, tmp_path, tiny_model):
    data = trust_data(tmp_path, tiny_model)
    data["evaluation"]["calibrate"] = False
    data["tasks"]["polarity"].pop("decide")
    run = train(make_config(data))
    assert UNCALIBRATED not in {record["model"] for record in run.records}
    assert "calibration" not in (run.folder / "model" / "equipoise.json").read_text()
    found, calibrated = arrays(run), arrays(trusted)
    assert not any(name.endswith("/raw") for name in found)
    # The same weights: what is fitted on dev changes nothing in training.
    for name in CALIBRATED:
        np.testing.assert_array_equal(found[f"test/{name}"], calibrated[f"test/{name}/raw"])
    metrics, before = values(run), values(trusted)
    for name, metric in CALIBRATED.items():
        assert metrics["run", name, metric] == pytest.approx(before[UNCALIBRATED, name, metric])


def test_a_damaged_calibration_is_named(trusted, tmp_path):
    MultiTaskModel.from_pretrained(trusted.folder / "model").save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "equipoise.json"
    said = json.loads(path.read_text())
    said["tasks"]["polarity"]["calibration"]["temperature"] = 0
    path.write_text(json.dumps(said))
    with pytest.raises(equipoise.errors.ModelError, match=r"tasks\.polarity\.calibration: found no finite numbers"):
        equipoise.load(tmp_path / "model")
    said["tasks"]["polarity"]["calibration"] = {"rows": 10, "temperature": "hot"}
    path.write_text(json.dumps(said))
    with pytest.raises(equipoise.errors.ModelError, match=r"tasks\.polarity\.calibration\.temperature: found 'hot'"):
        equipoise.load(tmp_path / "model")


def test_the_report_shows_coverage_reliability_and_risk(trusted):
    page = (trusted.folder / "report.html").read_text(encoding="utf-8")
    for words in ('id="trust"', 'aria-label="Table of coverage"', "Line charts of the share of right answers", "95 %"):
        assert words in page
    # Once as wide as the page, once for a phone.
    assert page.count("Line charts of the share of wrong answers among the surest") == 2
    assert page.count("Dashed: before calibration") == 2
    curves = json.loads((trusted.folder / "trust.json").read_text())
    (trusted.folder / "trust.json").rename(trusted.folder / "kept")
    try:
        after = {name: {of: {"after": one[of]["after"]} for of in one} for name, one in curves.items()}
        (trusted.folder / "trust.json").write_text(json.dumps(after))
        page = write_report(trusted.folder).read_text(encoding="utf-8")
        assert "Line charts of the share of right answers" in page
        assert "Dashed: before" not in page
        assert ">after<" not in page
        (trusted.folder / "trust.json").unlink()
        page = write_report(trusted.folder).read_text(encoding="utf-8")
        assert "Line charts of the share of right answers" not in page
        assert 'aria-label="Table of coverage"' in page
    finally:
        (trusted.folder / "kept").rename(trusted.folder / "trust.json")
        write_report(trusted.folder)
