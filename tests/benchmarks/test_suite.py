"""The benchmark of the suite reads the right scores and averages them by group."""

import json
from pathlib import Path

import numpy as np
import pytest

from aspects_data import write_run
from equipoise.training import train

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def suite(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import suite

    return suite


def test_groups_are_averaged_seed_by_seed(suite):
    groups = {"a": "SC", "b": "SC", "uabsa_x": "UABSA+ASTE", "c": "MAST"}
    scores = {"a": [10.0, 20.0], "b": [30.0, 60.0], "uabsa_x": [5.0, 6.0]}
    assert suite.group_means(scores, groups) == {"SC": [20.0, 40.0], "UABSA+ASTE": [5.0, 6.0]}
    assert suite.describe([20.0, 40.0]) == "30.0 ±127.1"
    assert suite.describe([20.0]) == "20.0"
    assert suite.describe([]) == "–"


def test_sets_have_the_groups_of_the_paper(suite):
    assert suite.group_of("aste_rest14", "ABSA") == "UABSA+ASTE"
    assert suite.group_of("asqp_rest15", "ABSA") == "ASQP"
    assert suite.group_of("asc_lap14", "SC") == "SC"
    assert suite.group_of("irony", "MAST") == "MAST"


def test_the_means_of_public_figures_are_those_of_the_paper(suite):
    groups = {name: suite.group_of(name, group) for name, group in _groups_of_example(suite).items()}
    means = {
        name: suite.group_means({task: [value] for task, value in figures.items()}, groups)
        for name, figures in suite.PUBLIC.items()
    }
    assert means["T5-large (memory)"] == {
        "SC": [pytest.approx(77.1, abs=0.05)],
        "UABSA+ASTE": [pytest.approx(64.7, abs=0.05)],
        "ASQP": [pytest.approx(45.8, abs=0.05)],
        "MAST": [pytest.approx(75.0, abs=0.05)],
    }
    assert means["RoBERTa (verified)"] == {}


def _groups_of_example(suite):
    import yaml

    tasks = yaml.safe_load(suite.RUN_FILE.read_text())["tasks"]
    assert len(tasks) == 20
    return {name: task["group"] for name, task in tasks.items()}


def test_groups_may_be_trained_alone(suite, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_DATA", str(tmp_path))
    config = suite.load_groups(["MAST"], ["train.epochs=2"])
    assert list(config.tasks) == list(config.sources) == ["implicit", "irony", "offensive", "stance", "emotion"]
    assert config.train.epochs == 2
    assert len(suite.load_groups([], []).tasks) == 20
    with pytest.raises(suite.UsageError, match="found TWEETS, expected some of SC, ABSA, MAST"):
        suite.load_groups(["TWEETS"], [])


def test_the_official_scores_are_those_of_the_primary_metrics_on_test(suite, tmp_path, tiny_model, monkeypatch):
    run_file = write_run(tmp_path, tiny_model, epochs=1, evaluations=1)
    data = json.loads(run_file.read_text())
    data["tasks"]["tone"]["metric"] = {"f1": "positive"}
    run_file.write_text(json.dumps(data))
    run = train(run_file)
    found = suite.official_scores(run, suite.load_config(run.folder / "config.yaml"))
    assert set(found) >= {"run", "majority"}
    assert set(found["run"]) == {"aspects", "triplets", "quads", "tone"}
    [record] = [
        one
        for one in run.records
        if (one["split"], one["model"], one["metric"], one["subset"]) == ("test", "run", "f1(positive)", "all")
    ]
    assert found["run"]["tone"] == pytest.approx(100 * record["value"])


def test_joint_and_single_task_models_are_compared_on_the_same_resamples(suite, tmp_path, tiny_model, capsys):
    run_file = write_run(tmp_path, tiny_model, epochs=1, evaluations=1)
    output = tmp_path / "suite"
    runs = [train(run_file, [f"output={output}/dao-{s}", f"train.seed={s}"], single_task=s < 2) for s in range(3)]
    groups = dict.fromkeys(("aspects", "triplets", "quads", "tone"), "all")
    found = suite.show_differences(output, "dao", 3, groups)
    scores = [suite.official_scores(run, suite.load_config(run.folder / "config.yaml")) for run in runs]
    for task in groups:
        mean, low, high = found[task]
        joint, alone = (np.mean([one[w][task] for one in scores if w in one]) for w in ("run", "single-task"))
        assert mean == pytest.approx(joint - alone)
        assert low <= high
    assert found["all"][0] == pytest.approx(sum(found[task][0] for task in groups) / 4)
    assert "dao less single-task" in capsys.readouterr().out
    assert suite.show_differences(tmp_path / "nothing", "dao", 1, groups) == {}
