"""Multilabel tasks from the run file to the report, and generation as far as an encoder goes."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

import equipoise
from corpus import words_data
from equipoise.config import load_config, make_config
from equipoise.data import load_table
from equipoise.errors import ModelError
from equipoise.evaluation import choose_examples, score_split
from equipoise.reporting import write_report
from equipoise.training import train, write_predictions
from pages import Page


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model):
    return train(make_config(words_data(tmp_path_factory.mktemp("words"), tiny_model, epochs=8)))


def test_labels_are_learnt_at_thresholds_chosen_on_dev(finished):
    values = {
        (record["split"], record["model"], record["metric"]): record["value"]
        for record in finished.records
        if record["task"] == "words"
    }
    assert values["test", "run", "macro_f1"] > values["test", "majority", "macro_f1"] + 0.2
    task = equipoise.load(finished.folder).tasks["words"]
    assert task.classes == ("blame", "praise", "thing")
    assert task.thresholds != (0.5, 0.5, 0.5)
    with np.load(finished.folder / "predictions.npz", allow_pickle=False) as arrays:
        dev, gold = arrays["dev/words"], arrays["dev/words/gold"]
        assert task.tune(dev, gold) == task
        for split in ("dev", "test"):
            decided = arrays[f"{split}/words/decided"]
            assert decided.tolist() == (arrays[f"{split}/words"] >= task.thresholds).astype(int).tolist()
            found = f1_score(arrays[f"{split}/words/gold"], decided, average="macro", zero_division=np.nan)
            assert values[split, "run", "macro_f1"] == pytest.approx(found)
        assert "dev/intensity/decided" not in arrays


def test_a_scoring_of_dev_has_thresholds_of_its_own(finished):
    lines = [json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()]
    scorings = {line["step"]: line["dev"] for line in lines if "dev" in line}
    summary = json.loads((finished.folder / "summary.json").read_text())
    (dev,) = (
        record["value"]
        for record in finished.records
        if (record["split"], record["model"], record["metric"]) == ("dev", "run", "macro_f1")
    )
    assert scorings[summary["best_step"]]["words/macro_f1"] == pytest.approx(dev)


def test_evaluate_and_predict_use_the_thresholds(finished):
    records = equipoise.evaluate(finished.folder, finished.folder / "config.yaml")
    assert records == [record for record in finished.records if record["split"] == "test"]
    predictor = equipoise.load(finished.folder)
    (answer,) = predictor.predict(["good great film"], tasks="words")
    assert answer["words"]["labels"] == [
        name
        for name, threshold in zip(predictor.tasks["words"].classes, predictor.tasks["words"].thresholds, strict=True)
        if answer["words"]["probabilities"][name] >= threshold
    ]


def test_the_page_shows_labels_and_their_shares(finished):
    page = Page((finished.folder / "report.html").read_text(encoding="utf-8"))
    results, classes = page.tables[0], page.tables[-1]
    assert [results[1][1], results[2][0], results[3][0]] == ["macro-F1", "micro-F1", "Jaccard"]
    data = json.loads((finished.folder / "data.json").read_text())
    count, total = data["classes"]["words"]["train"]["blame"], data["labels"]["words"]["train"]
    assert classes[1][-3] == f"{count} {100 * count / total:.1f} %"


def test_example_weights_leave_labels_alone(tmp_path, tiny_model):
    data = words_data(tmp_path, tiny_model, max_steps=1, evaluations=1)
    run = train(make_config({**data, "balance": {"name": "dao", "example_weights": True}}))
    assert run.run_score > 0


def test_an_encoder_is_refused_before_anything_is_written(tmp_path, tiny_model):
    data = words_data(tmp_path, tiny_model)
    data["tasks"]["title"] = {"source": "reviews", "kind": "generation", "label": "title"}
    with pytest.raises(ModelError, match=r"tasks.title: it prompts .* the backbone is no decoder"):
        train(make_config(data))
    assert not (tmp_path / "run").exists()


def test_texts_are_written_without_pickles_and_shown(finished, tmp_path):
    """What a decoder's run will leave, made of the first words of each text."""
    data = words_data(tmp_path, "minilm")
    data["tasks"]["title"] = {"source": "reviews", "kind": "generation", "label": "title"}
    data["evaluation"]["baselines"] = ["majority", "lead"]
    config = make_config(data)
    table = load_table(config)
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "config.yaml").write_text((finished.folder / "config.yaml").read_text())
    texts = [" ".join(text.split()[:1]) for text in table.splits["test"]["text"][:]]
    predictions = {"title": np.array(texts, dtype=object)}
    write_predictions(folder, {"test": predictions}, table)
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["test/title"].tolist() == texts
        assert arrays["test/title/gold"].tolist() == table.labels("title", "test").tolist()
        assert {array.dtype.kind for array in arrays.values()} == {"U"}
    data["output"] = str(folder)
    (folder / "config.yaml").write_text(json.dumps(data))
    (folder / "metrics.json").write_text(
        json.dumps(score_split(predictions, table, "test", load_config(folder / "config.yaml")))
    )
    (folder / "examples.json").write_text(json.dumps(choose_examples(predictions, table, "test")))
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "Outputs on test" in page.headings
    results, outputs = page.tables[0], page.tables[1]
    rows = [row for row in results if "ROUGE-L" in row]
    assert rows[0][:2] == ["title", "ROUGE-L"]
    assert [row[0] for row in results[-4:]] == ["ROUGE-1", "ROUGE-2", "empty outputs ↓", "copied outputs ↓"]
    assert outputs[0] == ["rank", "ROUGE-L", "output", "target", "text"]
    assert [row[0] for row in outputs[1:] if len(row) == 5] == ["best", "median", "worst"]
    assert len(outputs) == 9
