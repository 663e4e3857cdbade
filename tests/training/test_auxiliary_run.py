"""A run with auxiliary tasks, and the predictions it keeps."""

import json

import numpy as np
import pytest

import equipoise
from corpus import run_data, write_corpus
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.evaluation import run_score, score_predictions
from equipoise.training import prepared_run, train

SCORED = {"intensity", "polarity"}
AUXILIARY = {"stratum", "towards"}


@pytest.fixture(scope="module")
def inferred():
    """The splits that the finished run predicted for, in order."""
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model, inferred):
    folder = tmp_path_factory.mktemp("auxiliary")
    (folder / "more").mkdir()
    write_corpus(folder / "more", rows=50, seed=1)
    data = run_data(folder, tiny_model, max_steps=8, evaluations=2)
    data["sources"]["more"] = {"path": str(folder / "more" / "reviews.csv")}
    data["tasks"]["towards"] |= {"source": "more", "auxiliary": True}
    data["tasks"]["stratum"] = {
        **{"source": "reviews", "kind": "classification", "label": "score", "auxiliary": True},
        "from_score": {"classes": ["low", "high"]},
    }
    predict = prepared_run.predict_split
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            prepared_run,
            "predict_split",
            lambda *args, **options: inferred.append(args[3]) or predict(*args, **options),
        )
        return train(make_config(data))


def read(run, name):
    return json.loads((run.folder / name).read_text(encoding="utf-8"))


def test_auxiliary_tasks_are_trained_and_not_scored(finished):
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    trained = {name for line in lines for name in line.get("losses", {})}
    scored = {key.partition("/")[0] for line in lines for key in line.get("dev", {})}
    assert trained == SCORED | AUXILIARY
    assert scored == SCORED | {"run_score"}
    assert {record["task"] for record in finished.records} == SCORED
    assert {record["model"] for record in finished.records} == {"run", "majority"}
    primary = [
        record["value"]
        for record in finished.records
        if record["split"] == "test" and record["model"] == "run" and record["metric"] in ("pearson", "macro_f1")
    ]
    assert finished.run_score == pytest.approx(np.mean(np.clip(primary, 0, None)))


def test_the_data_and_the_report_mark_them(finished):
    data = read(finished, "data.json")
    assert set(data["auxiliary"]) == AUXILIARY
    assert data["labels"]["stratum"] == {"train": data["labels"]["intensity"]["train"], "dev": 0, "test": 0}
    assert set(data["labels"]) == set(data["classes"]) | {"intensity"} == SCORED | AUXILIARY
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert page.count("auxiliary: not scored") == 2


def test_the_model_answers_for_them_when_asked(finished):
    predictor = equipoise.load(finished.folder)
    assert set(predictor.tasks) == SCORED | AUXILIARY
    # `towards` reads an aspect, which nobody who wants the scored tasks has to give.
    assert set(predictor.predict("good film")[0]) == {"text"} | SCORED
    (answer,) = predictor.predict("good film", tasks="stratum")
    assert answer["stratum"]["label"] in ("low", "high")


def test_evaluate_scores_what_the_run_scored(finished):
    records = equipoise.evaluate(finished.folder, finished.folder / "config.yaml")
    expected = [record for record in finished.records if record["split"] == "test"]
    assert [{**record, "value": 0, "low": 0, "high": 0} for record in records] == [
        {**record, "value": 0, "low": 0, "high": 0} for record in expected
    ]
    np.testing.assert_allclose([r["value"] for r in records], [r["value"] for r in expected], atol=1e-9)


def test_the_predictions_that_were_scored_are_kept(finished, inferred):
    table = load_table(load_config(finished.folder / "config.yaml"))
    with np.load(finished.folder / "predictions.npz", allow_pickle=False) as kept:
        arrays = dict(kept)
    assert set(arrays) == {
        f"{split}/{task}{end}" for split in ("dev", "test") for task in SCORED for end in ("", "/gold")
    }
    for split in ("dev", "test"):
        n = len(table.rows("polarity", split))
        assert arrays[f"{split}/intensity"].shape == (n,)
        assert arrays[f"{split}/polarity"].shape == (n, 3)
        for task in SCORED:
            assert arrays[f"{split}/{task}/gold"].tolist() == table.labels(task, split).tolist()
        predictions = {task: arrays[f"{split}/{task}"] for task in table.scored}
        again = score_predictions(predictions, table, split, bootstrap=100)
        kept = [r for r in finished.records if r["model"] == "run" and r["split"] == split]
        assert again == [r for r in kept if r["metric"] in table.tasks[r["task"]].scored_metrics]
    assert run_score(again, table.tasks) == finished.run_score
    # Twice for the log, then once each.
    assert inferred == ["dev", "dev", "dev", "test"]


def test_the_summary_tells_memory_and_time_of_a_step(finished):
    summary = read(finished, "summary.json")
    seconds = [json.loads(line).get("seconds") for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    seconds = [second for second in seconds if second is not None]
    assert len(seconds) == 8
    assert summary["seconds_per_step"] == pytest.approx(np.median(seconds), abs=1e-4)
    # torch alone takes 100 MB and more.
    assert 100 < summary["peak_memory_mb"] < 100_000
