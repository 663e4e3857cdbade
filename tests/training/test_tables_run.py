"""Runs of tables in memory: trained, repeated, resumed and evaluated from what lies in their folder."""

import json

import pandas as pd
import pytest

import equipoise
from corpus import write_corpus
from equipoise.config import load_config
from equipoise.errors import OutputError, TrainingError, UsageError

TASKS = {
    "intensity": {"kind": "regression", "label": "score", "range": [-1, 1]},
    "polarity": {"kind": "classification", "label": "label"},
}


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return pd.read_csv(write_corpus(tmp_path_factory.mktemp("corpus"), rows=80))


@pytest.fixture(scope="module")
def keys(tiny_model):
    settings = {"evaluation.bootstrap": 100, "train.head_learning_rate": 3e-3}
    return {
        "tasks": TASKS,
        "model": tiny_model,
        "max_length": 32,
        "group": "writer",
        "epochs": 1,
        "evaluations": 1,
        "settings": settings,
    }


@pytest.fixture(scope="module")
def run(frame, keys, tmp_path_factory):
    return equipoise.train(frame, **keys, output=tmp_path_factory.mktemp("tables") / "run")


def test_a_run_of_a_table_is_that_of_the_file(run, frame, keys, tmp_path):
    frame.to_csv(tmp_path / "reviews.csv", index=False)
    source = {"path": "reviews.csv", "group": "writer"}
    config = load_config(run.folder / "config.yaml").model_dump(mode="json")
    config |= {"sources": {"data": source}, "output": "run"}
    (tmp_path / "run.yaml").write_text(json.dumps(config))
    assert equipoise.train(tmp_path / "run.yaml").records == run.records


def test_it_is_repeated_from_its_folder(run, tmp_path):
    again = equipoise.train(run.folder / "config.yaml", [f"output={tmp_path / 'again'}"])
    assert again.records == run.records
    assert equipoise.train(run.folder / "config.yaml", resume=True).records == run.records


def test_it_is_evaluated_from_its_folder(run):
    records = equipoise.evaluate(run.folder, run.folder / "config.yaml")
    values = {(record["task"], record["metric"]): record["value"] for record in records if record["model"] == "run"}
    test = [record for record in run.records if (record["model"], record["split"]) == ("run", "test")]
    same = [record for record in test if record["subset"] == "all" and (record["task"], record["metric"]) in values]
    assert same
    assert all(values[record["task"], record["metric"]] == pytest.approx(record["value"], abs=1e-6) for record in same)


def test_overwriting_from_the_folder_keeps_the_rows_it_reads(frame, keys, tmp_path):
    first = equipoise.train(frame, **keys, output=tmp_path / "run")
    with pytest.raises(TrainingError, match="holds a finished run"):
        equipoise.train(frame, **keys, output=tmp_path / "run")
    again = equipoise.train(first.folder / "config.yaml", overwrite=True)
    assert again.records == first.records
    tasks = {name: {**task, "source": "reviews"} for name, task in TASKS.items()}
    other = equipoise.train({"reviews": frame}, **{**keys, "tasks": tasks}, output=tmp_path / "run", overwrite=True)
    assert [path.name for path in (other.folder / "data").iterdir()] == ["reviews.parquet"]


def test_a_folder_with_other_files_in_data_is_left_alone(frame, keys, tmp_path):
    run = equipoise.train(frame, **keys, output=tmp_path / "run")
    (run.folder / "data" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"data/notes\.txt"):
        equipoise.train(frame, **keys, output=run.folder, overwrite=True)
    assert (run.folder / "data" / "notes.txt").read_text() == "mine"


def test_other_rows_do_not_continue_a_run(frame, keys, tmp_path, monkeypatch):
    from equipoise.training import train_run

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_run, "fit", stop)
        with pytest.raises(KeyboardInterrupt):
            equipoise.train(frame, **keys, output=tmp_path / "run")
    with pytest.raises(TrainingError, match="the data changed"):
        equipoise.train(frame[:-5], **keys, output=tmp_path / "run", resume=True)
    again = equipoise.train(frame, **keys, output=tmp_path / "run", resume=True)
    assert (again.folder / "report.html").exists()


def test_single_task_models_read_the_table_too(frame, keys, tmp_path):
    run = equipoise.train(frame, **keys, output=tmp_path / "run", single_task=True)
    assert {record["model"] for record in run.records} >= {"run", "single-task"}


def test_nothing_is_written_where_the_table_is_wrong(frame, keys, tmp_path):
    with pytest.raises(UsageError, match="they go with a run file"):
        equipoise.train(frame, ["train.epochs=1"], **keys, output=tmp_path / "run")
    with pytest.raises(UsageError, match="found int, expected a DataFrame"):
        equipoise.train(3)
    assert not (tmp_path / "run").exists()
