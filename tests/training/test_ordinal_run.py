"""Ordinal tasks from the run file to report, predictions and merged model."""

import json
import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

import equipoise
from corpus import run_data, write_data
from equipoise.config import load_config
from equipoise.curriculum import measure_difficulty
from equipoise.errors import DataError, UsageError
from equipoise.experts import train_experts
from equipoise.kinds import Ordinal
from equipoise.merging import merge
from equipoise.training import check, train
from pages import Page
from prompted import TEXTS, ask, encode, make_model, predict, score_alone

SCALE = ["negative", "neutral", "positive"]


def write_run(folder, model, **options):
    """A scale of listed classes, one of them on no row, and one of numbers."""
    data = run_data(folder, model, **{"epochs": 8, **options})
    header, *lines = (folder / "reviews.csv").read_text().splitlines()
    stars = {"negative": "1", "neutral": "3", "positive": "5"}
    rows = [f"{line},{stars[line.split(',')[3]]}" for line in lines]
    (folder / "reviews.csv").write_text("\n".join([header + ",stars", *rows]) + "\n")
    data["tasks"] = {
        "opinion": {"source": "reviews", "kind": "ordinal", "label": "label", "classes": [*SCALE, "delighted"]},
        "stars": {"source": "reviews", "kind": "ordinal", "label": "stars", "metric": "macro_f1"},
    }
    return write_data(folder, data)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(write_run(tmp_path_factory.mktemp("ordinal"), tiny_model))


def values(run):
    return {
        (record["model"], record["task"], record["metric"]): record["value"]
        for record in run.records
        if record["split"] == "test" and record["subset"] == "all"
    }


def test_it_is_trained_and_scored(run):
    found = values(run)
    assert found["run", "opinion", "qwk"] > 0.5
    assert found["majority", "opinion", "qwk"] == 0
    assert found["run", "opinion", "rank_mae"] < found["majority", "opinion", "rank_mae"]
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        probabilities, gold = arrays["test/opinion"], arrays["test/opinion/gold"]
        decided = arrays["test/opinion/decided"].argmax(axis=1)
    assert probabilities.shape[1] == 4
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert found["run", "opinion", "qwk"] == pytest.approx(cohen_kappa_score(gold, decided, weights="quadratic"))
    assert found["run", "opinion", "accuracy"] == pytest.approx((gold == decided).mean())


def test_the_classes_that_were_found_can_be_written_out(run):
    config, tasks = load_config(run.folder / "config.yaml"), equipoise.load(run.folder).tasks
    assert config.tasks["stars"].with_label_space(tasks["stars"]).classes == ("1", "3", "5")
    assert tasks["opinion"].classes == (*SCALE, "delighted")


def test_predictions_are_what_is_scored(run):
    good, bad = equipoise.load(run.folder).predict(["good great love best", "bad awful sad hate worst"])
    assert list(good["opinion"]) == ["label", "expected_rank", "probabilities"]
    assert good["opinion"]["expected_rank"] > bad["opinion"]["expected_rank"]
    assert (good["stars"]["label"], bad["stars"]["label"]) == ("5", "1")
    assert 1 <= bad["stars"]["expected_rank"] < good["stars"]["expected_rank"] <= 3


def test_it_is_evaluated_again(run):
    records = equipoise.evaluate(run.folder, run.folder / "config.yaml")
    assert records == [record for record in run.records if record["split"] == "test"]


def test_the_page_shows_its_metrics(run):
    page = Page((run.folder / "report.html").read_text(encoding="utf-8"))
    heads = [row[1] if len(row) == len(page.tables[0][0]) else row[0] for row in page.tables[0][1:]]
    assert heads == 2 * ["QWK", "MAE in ranks ↓", "accuracy", "macro-F1", "ECE ↓", "Brier ↓"]
    assert "ordinal, negative to delighted" in page.text


def test_it_is_resumed(tmp_path, tiny_model, run):
    from equipoise.training import trainer

    run_file = write_run(tmp_path, tiny_model)
    save = trainer.MultiTaskTrainer._save_checkpoint

    def save_and_stop(self, *args, **options):
        save(self, *args, **options)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MultiTaskTrainer, "_save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(run_file)
    assert values(train(run_file, resume=True)) == values(run)


def test_it_is_merged(tmp_path, run):
    for name in ("one", "other"):
        shutil.copytree(run.folder / "model", tmp_path / name)
    base = load_config(run.folder / "config.yaml").model
    merge([tmp_path / "one", tmp_path / "other"], tmp_path / "merged", base=base)
    (before,), (after,) = (equipoise.load(one).predict(["good great"]) for one in (run.folder, tmp_path / "merged"))
    assert after["opinion"]["expected_rank"] == pytest.approx(before["opinion"]["expected_rank"], rel=1e-4)


def test_experts_are_scored_on_each_others_tasks_by_probes(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model, epochs=1, evaluations=1)
    results = train_experts(run_file).results
    assert results["tasks"]["opinion"]["metric"] == "qwk"
    row = next(row for row in results["rows"] if row["name"] == "opinion")
    assert row["cells"]["stars"]["how"] == "probe"
    assert np.isfinite(row["metrics"]["test"]["stars"]["value"])


def test_its_difficulty_is_measured_on_features(tmp_path, tiny_model):
    found = measure_difficulty(write_run(tmp_path, tiny_model)).difficulty
    for by in ("pvi", "dynamics", "metadata"):
        assert np.isfinite(found.tasks["opinion"].examples(by)).all()
    assert found.tasks["opinion"].pvi is not None


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"classes": None},
            DataError,
            r"line 2, column 'label' \(task 'opinion'\): found '\w+', expected a number; cl",
        ),
        ({"classes": ["negative", "positive"]}, DataError, "found class 'neutral', expected one of 'negative', 'pos"),
        ({"classes": ["negative"]}, UsageError, r"'classes' is \['negative'\], expected two or more different names"),
        ({"label": "one", "classes": None}, DataError, "every training label is '2', expected two classes or more"),
        ({"metric": "rank_mae"}, UsageError, "'metric' is 'rank_mae', expected one of qwk, accuracy, macro_f1"),
        ({"from_score": {"classes": ["a", "b"]}}, UsageError, "'from_score' goes with kind: classification, found"),
    ],
)
def test_what_is_refused(tmp_path, tiny_model, changes, error, message):
    run_file = write_run(tmp_path, tiny_model)
    data = json.loads(run_file.read_text())
    lines = (tmp_path / "reviews.csv").read_text().splitlines()
    (tmp_path / "reviews.csv").write_text("\n".join([lines[0] + ",one", *(line + ",2" for line in lines[1:])]) + "\n")
    data["tasks"] = {"opinion": data["tasks"]["opinion"] | changes}
    with pytest.raises(error, match=message):
        check(write_data(tmp_path, data))


def test_a_language_models_answers_are_one_softmax(tiny_llm):
    task = Ordinal("tone", "s", "text", None, "label", "qwk", ("1", "2", "3"), format="prompt", verbalize={"2": "so"})
    model = make_model(tiny_llm, {"tone": task})
    question = "What is the tone of the text above? Answer with one of, from lowest to highest: 1, so or 3."
    answers = [model.tokenizer(answer)["input_ids"] for answer in ("1", "so", "3")]
    prompts = [ask(model.tokenizer, f"{text}\n\n{question}") for text in TEXTS[:3]]
    scores = torch.tensor([[score_alone(model.backbone, prompt, answer) for answer in answers] for prompt in prompts])
    found = predict(model, encode(model, TEXTS[:3]), "tone")["tone"]
    np.testing.assert_allclose(found, scores.softmax(dim=1), atol=1e-5)
