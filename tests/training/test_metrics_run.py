"""A metric that is no metric of every table: chosen in the run file, it is in records, log, tables and pages."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

import equipoise
from corpus import words_data, write_data
from equipoise.comparison import compare
from equipoise.config import load_config
from equipoise.errors import UsageError
from equipoise.experts import train_experts
from equipoise.training import check, train
from pages import Page

CHOSEN = {
    "words": ({"f1": "praise"}, "f1(praise)", "F1 of praise"),
    "intensity": ("cosine", "cosine", "cosine"),
    "polarity": ({"mean_f1": ["negative", "positive"]}, "mean_f1(negative, positive)", "mean F1 of negative, positive"),
    "towards": ("macro_recall", "macro_recall", "macro recall"),
}


def write_run(folder, model, **options):
    data = words_data(folder, model, **{"epochs": 2, "evaluations": 1, **options})
    common = {"source": "reviews", "kind": "classification", "label": "label"}
    data["tasks"] |= {"polarity": common, "towards": {**common, "pair": "aspect"}}
    data["tasks"] = {name: {**task, "metric": CHOSEN[name][0]} for name, task in data["tasks"].items()}
    return write_data(folder, data)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(write_run(tmp_path_factory.mktemp("metrics"), tiny_model))


def test_it_comes_first_among_the_records_of_its_task(run):
    for name, (_, metric, _) in CHOSEN.items():
        own = [one for one in run.records if (one["split"], one["model"], one["task"]) == ("test", "run", name)]
        assert own[0]["metric"] == metric
        assert len(own) > 3
        assert own[0]["low"] <= own[0]["value"] <= own[0]["high"]
    assert {one["metric"] for one in run.records if one["model"] == "majority"} >= {"f1(praise)", "cosine"}


def test_its_value_is_scikit_learns(run):
    values = {
        one["task"]: one["value"]
        for one in run.records
        if (one["split"], one["model"]) == ("test", "run") and one["metric"] == CHOSEN[one["task"]][1]
    }

    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        gold, decided = arrays["test/words/gold"], arrays["test/words/decided"]
        assert values["words"] == pytest.approx(f1_score(gold[:, 1], decided[:, 1]))
        gold, chosen = arrays["test/polarity/gold"], arrays["test/polarity"].argmax(axis=1)
        assert values["polarity"] == pytest.approx(f1_score(gold, chosen, labels=[0, 2], average="macro"))


def test_it_selects_the_checkpoint(run):
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    (dev,) = [line["dev"] for line in lines if "dev" in line]
    assert dev.keys() == {"run_score", *(f"{name}/{metric}" for name, (_, metric, _) in CHOSEN.items())}
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["run_score"]["dev"] == pytest.approx(dev["run_score"])


def test_the_page_shows_it(run):
    text = (run.folder / "report.html").read_text(encoding="utf-8")
    heads = {row[1] for row in Page(text).tables[0] if len(row) > 4}
    assert {label for _, _, label in CHOSEN.values()} <= heads


def test_it_is_written_out_and_read_again(run):
    tasks = load_config(run.folder / "config.yaml").tasks
    kept = json.loads(json.dumps({name: task.model_dump(mode="json")["metric"] for name, task in tasks.items()}))
    assert kept == {name: choice for name, (choice, _, _) in CHOSEN.items()}
    records = equipoise.evaluate(run.folder, run.folder / "config.yaml")
    assert records == [record for record in run.records if record["split"] == "test"]


def test_a_model_is_scored_by_the_run_files_metric(run):
    """Training has chosen the checkpoint by another one; what a run file leaves open is the model's."""
    config = run.folder / "config.yaml"
    records = equipoise.evaluate(run.folder, config, ["tasks.words.metric={f1: blame}", "tasks.towards.metric=null"])
    first = {name: next(one["metric"] for one in records if one["task"] == name) for name in CHOSEN}
    assert first == {name: "f1(blame)" if name == "words" else metric for name, (_, metric, _) in CHOSEN.items()}
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        gold, decided = arrays["test/words/gold"], arrays["test/words/decided"]
    [value] = [one["value"] for one in records if one["metric"] == "f1(blame)" and one["model"] == "run"]
    assert value == pytest.approx(f1_score(gold[:, 0], decided[:, 0]))
    with pytest.raises(UsageError, match="'metric' names the label 'blam', which the task does not have"):
        equipoise.evaluate(run.folder, config, ["tasks.words.metric={f1: blam}"])


def test_experts_and_a_comparison_are_scored_by_it(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, max_steps=2)
    results = train_experts(run_file).results
    for row in results["rows"]:
        assert {name: one["metric"] for name, one in row["metrics"]["test"].items()} == {
            name: metric for name, (_, metric, _) in CHOSEN.items()
        }
    comparison = compare([run_file], "equal", seeds=1, trials=0, output=tmp_path / "c")
    assert comparison.results["tasks"]["words"]["metrics"][0] == "f1(praise)"
    assert "F1 of praise" in (tmp_path / "c" / "compare.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": {"f1": "prais"}}, r"tasks\.words: 'metric' names the label 'prais', .*Did you mean 'praise'\?"),
        ({"metric": {"f1": "x"}, "label": "words"}, r"does not have\. There is: 'blame', 'praise', 'thing'\."),
    ],
)
def test_a_class_that_train_does_not_have(tmp_path, tiny_model, change, message):
    run_file = write_run(tmp_path, tiny_model)
    data = json.loads(run_file.read_text())
    data["tasks"] = {"words": data["tasks"]["words"] | change}
    with pytest.raises(UsageError, match=message):
        check(write_data(tmp_path, data))
