"""Extraction, triplets and quads from the run file to report, predictions and merged model."""

import json
import shutil

import numpy as np
import pytest

import equipoise
from aspects_data import make_row, write_run
from corpus import write_data
from equipoise.config import load_config
from equipoise.curriculum import measure_difficulty
from equipoise.errors import DataError, UsageError
from equipoise.experts import train_experts
from equipoise.kinds import get_metric
from equipoise.merging import merge
from equipoise.training import check, read_predictions, train
from pages import Page

TASKS = ("aspects", "triplets", "quads")


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    return train(write_run(tmp_path_factory.mktemp("aspects"), tiny_model))


def values(run):
    return {
        (record["model"], record["task"], record["metric"]): record["value"]
        for record in run.records
        if record["split"] == "test" and record["subset"] == "all"
    }


def test_they_are_learnt(run):
    found = values(run)
    assert found["run", "aspects", "extraction_f1"] > 0.6
    assert found["run", "triplets", "triplet_f1"] > 0.5
    assert found["run", "quads", "quad_f1"] > 0.5
    assert found["majority", "aspects", "extraction_f1"] == 0


def test_what_is_scored_is_kept_without_pickles(run):
    tasks = equipoise.load(run.folder).tasks
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        for task in TASKS:
            gold = arrays[f"test/{task}/gold"]
            found = read_predictions(run.folder, task, gold)
            metric = tasks[task].metric
            assert get_metric(metric)(gold, found) == pytest.approx(values(run)["run", task, metric])


def test_predictions_have_places_in_the_users_text(run):
    text = "The CAMERA was  good \N{GRINNING FACE} on day 3"
    [answer] = equipoise.load(run.folder).predict([text])
    [aspect] = answer["aspects"]
    assert (aspect["term"], aspect["polarity"]) == ("CAMERA", "positive")
    assert text[aspect["start"] : aspect["end"]] == "CAMERA"
    for task in ("triplets", "quads"):
        for opinion in answer[task]:
            assert text[opinion["opinion_start"] : opinion["opinion_end"]] == opinion["opinion"]
    assert json.loads(json.dumps(answer)) == answer


def test_a_prediction_does_not_depend_on_its_batch(run):
    predictor = equipoise.load(run.folder)
    texts = [make_row(number)["text"] for number in range(20)]
    together, alone = predictor.predict(texts, batch_size=7), [predictor.predict([text])[0] for text in texts]
    for task in TASKS:
        for one, other in zip(together, alone, strict=True):
            assert [item | {"score": pytest.approx(item["score"], abs=2e-4)} for item in one[task]] == other[task]


def test_what_was_decided_is_kept_as_text(run):
    with np.load(run.folder / "predictions.npz", allow_pickle=False) as arrays:
        for task in ("triplets", "quads"):
            found, decided = arrays[f"test/{task}"], arrays[f"test/{task}/decided"]
            assert sum(len(json.loads(text)) for text in found) >= sum(len(json.loads(text)) for text in decided) > 0


def test_they_are_evaluated_again(run):
    records = equipoise.evaluate(run.folder, run.folder / "config.yaml")
    assert records == [record for record in run.records if record["split"] == "test"]


def test_the_page_shows_their_metrics(run):
    page = Page((run.folder / "report.html").read_text(encoding="utf-8"))
    assert {"term F1", "triplet F1", "quad F1", "pair F1"} <= {cell for row in page.tables[0] for cell in row}


def test_they_are_resumed(tmp_path, tiny_model, run):
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


def test_they_are_merged(tmp_path, run):
    for name in ("one", "other"):
        shutil.copytree(run.folder / "model", tmp_path / name)
    base = load_config(run.folder / "config.yaml").model
    merge([tmp_path / "one", tmp_path / "other"], tmp_path / "merged", base=base)
    texts = [make_row(number)["text"] for number in range(12)]
    before, after = (equipoise.load(one).predict(texts) for one in (run.folder, tmp_path / "merged"))

    def terms(answers):
        return [[item["term"] for item in answer[task]] for answer in answers for task in TASKS]

    assert terms(before) == terms(after)
    assert any(terms(before))


def test_experts_have_no_cell_where_no_head_can_be_read_off(tmp_path, tiny_model):
    results = train_experts(write_run(tmp_path, tiny_model, epochs=1, evaluations=1)).results
    row = next(row for row in results["rows"] if row["name"] == "tone")
    assert "aspects" not in row["metrics"]["test"]


def test_their_difficulty_is_that_of_their_labels(tmp_path, tiny_model):
    measured = measure_difficulty(write_run(tmp_path, tiny_model))
    assert np.isfinite(measured.difficulty.tasks["aspects"].examples("metadata")).all()
    assert "Task 'aspects' is measured by meta data only" in " ".join(measured.difficulty.notes)


@pytest.mark.parametrize(
    ("task", "changes", "row", "error", "message"),
    [
        (
            "aspects",
            {},
            {"aspects": [{"term": "lens"}]},
            DataError,
            r"line 241, column 'aspects' \(task 'aspects'\): fo",
        ),
        ("aspects", {}, {"aspects": "battery"}, DataError, r"expected a list such as .*, or \[\] for none"),
        ("aspects", {}, {"aspects": ["O", "B-good"]}, DataError, "found 2 tags for 3 words"),
        ("aspects", {"classes": ["good", "bad"]}, {}, DataError, "found the polarity 'positive' of the term"),
        ("aspects", {"classes": ["good", "good"]}, {}, UsageError, "expected one or more different names"),
        ("aspects", {"metric": "polarity_accuracy"}, {}, UsageError, "expected one of extraction_f1, term_f1"),
        ("aspects", {"from_score": {}}, {}, UsageError, "'from_score' goes with kind: classification"),
        (
            "aspects",
            {"missing_terms": "drop"},
            {},
            UsageError,
            "missing_terms: found 'drop', expected 'fail' or 'skip'",
        ),
        ("triplets", {}, {"triplets": [{"term": "battery"}]}, DataError, "without opinion, expected an object such as"),
        ("quads", {"categories": ["people"]}, {}, DataError, "found the category 'things', expected one of 'people'"),
        ("quads", {"format": "prompt"}, {}, Exception, "format|prompt|decoder"),
    ],
)
def test_what_is_refused(tmp_path, tiny_model, task, changes, row, error, message):
    run_file = write_run(tmp_path, tiny_model)
    data = json.loads(run_file.read_text())
    data["tasks"] = {task: data["tasks"][task] | changes}
    with (tmp_path / "reviews.jsonl").open("a") as file:
        file.write(json.dumps(make_row(0) | {"text": "battery is good"} | row) + "\n" if row else "")
    with pytest.raises(error, match=message):
        check(write_data(tmp_path, data))


def test_what_is_cut_off_is_told(tmp_path, tiny_model):
    """Three tokens of "the NOUN was WORD on day N" hold no opinion."""
    run_file = write_run(tmp_path, tiny_model)

    def cut_off(*overrides):
        return [note for note in check(load_config(run_file, overrides)).notes if "cut off" in note]

    said = [note for note in cut_off("max_length=5") if note.startswith("Task 'triplets', ")]
    assert sum(int(note.split(": ")[1].split()[0]) for note in said) == sum(
        len(make_row(number)["triplets"]) for number in range(240)
    )
    assert all(" opinions stand in what is cut off; they count as missed" in note for note in said)
    assert cut_off() == cut_off("max_length=5", "long_texts=windows") == []


def test_terms_that_are_missing_can_be_skipped(tmp_path, tiny_model):
    run_file = write_run(tmp_path, tiny_model)
    data = json.loads(run_file.read_text())
    data["tasks"] = {"aspects": data["tasks"]["aspects"] | {"missing_terms": "skip"}}
    with (tmp_path / "reviews.jsonl").open("a") as file:
        for number in range(20):
            file.write(
                json.dumps({"text": f"nice {number}", "aspects": [{"term": "lens", "polarity": "positive"}]}) + "\n"
            )
    found = check(write_data(tmp_path, data))
    assert any("Task 'aspects', train: terms that do not stand in their text:" in note for note in found.notes)
