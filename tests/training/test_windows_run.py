"""Runs that read long texts in windows."""

import json
import re
import signal

import pytest

from corpus import GOOD, run_data, write_data
from equipoise.config import load_config, make_config
from equipoise.evaluation import evaluate
from equipoise.modeling import Predictor, load
from equipoise.training import check, train
from equipoise.training.fitting import make_trainer
from equipoise.training.preparing import prepare_run
from outcomes import assert_same
from strike import strike


def windows_run(folder, model, max_length=8, **train):
    """A run file in which most texts, of up to 13 tokens with their special ones, do not fit."""
    folder.mkdir(exist_ok=True)
    data = run_data(folder, model, **train) | {"max_length": max_length, "long_texts": "windows"}
    del data["tasks"]["towards"]
    return write_data(folder, data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("windows")
    return train(windows_run(folder / "a", tiny_model)).folder


def test_killed_and_resumed_in_the_second_epoch(tmp_path, tiny_model, whole):
    run_file = windows_run(tmp_path / "b", tiny_model)
    steps = json.loads((whole / "summary.json").read_text())["steps"]
    # An epoch takes as many steps as there are batches of texts.
    rows = json.loads((whole / "data.json").read_text())["rows"]["train"]
    assert steps == 2 * -(-rows // 16)
    assert strike(run_file, steps // 2 + 3, signal.SIGKILL).exit_code == -signal.SIGKILL
    train(run_file, resume=True)
    assert_same(whole, tmp_path / "b" / "run")


def test_an_epoch_reads_windows_behind_the_first_too(tmp_path, tiny_model):
    run = prepare_run(load_config(windows_run(tmp_path / "a", tiny_model)))
    sampler = make_trainer(run)._batches.sampler
    drawn, texts = list(sampler), len(run.table.splits["train"])
    assert len(drawn) == texts < max(drawn) < len(run.rows["train"])


def test_the_notes_say_how_many_windows_there_are(tmp_path, tiny_model, whole):
    notes = check(windows_run(tmp_path / "b", tiny_model)).notes
    said = [note for note in notes if "windows" in note]
    assert len(said) == 3
    assert all("texts do not fit into 8 tokens and are read in" in note for note in said)
    assert set(said) <= set(json.loads((whole / "data.json").read_text())["notes"])
    report = (whole / "report.html").read_text(encoding="utf-8")
    assert "inputs of at most 8 tokens, longer texts in windows" in report
    cut = check(load_config(tmp_path / "b" / "run.yaml", ["long_texts=cut"])).notes
    assert [note.replace("are cut", "") for note in cut if "are cut" in note] == [
        note.split("are read")[0] + "." for note in said
    ]


def test_prompted_models_say_that_they_cut(tmp_path, tiny_llm):
    data = run_data(tmp_path, tiny_llm) | {"long_texts": "windows"}
    rows = [{"text": f"{number} " + "good " * 200, "label": "ab"[number % 2]} for number in range(40)]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data["sources"] = {"reviews": {"path": str(tmp_path / "long.jsonl")}}
    data["tasks"] = {"polarity": data["tasks"]["polarity"] | {"format": "prompt", "template": "{text}\n{task}?"}}
    data["max_length"] = 128
    notes = check(write_data(tmp_path, data)).notes
    said = [note for note in notes if "do not fit" in note]
    assert len(said) == 3
    assert all(note.endswith("cut, since a model with tasks in the format prompt reads no windows.") for note in said)


def test_the_model_reads_windows_wherever_it_is_loaded(whole):
    predictor = load(whole)
    assert predictor.model.long_texts == "windows"
    measured = [
        record
        for record in json.loads((whole / "metrics.json").read_text())
        if record["split"] == "test" and record["model"] == "run"
    ]
    found = [record for record in evaluate(predictor, whole / "config.yaml") if record["model"] == "run"]
    assert [record["value"] for record in found] == pytest.approx([record["value"] for record in measured], abs=1e-6)
    cut = evaluate(Predictor(predictor.model.with_long_texts("cut")), whole / "config.yaml")
    assert [record["value"] for record in cut if record["model"] == "run"] != [record["value"] for record in found]


def test_a_curriculum_orders_texts_and_reads_their_windows(tmp_path, tiny_model):
    run_file = windows_run(tmp_path / "a", tiny_model, max_steps=4)
    config = load_config(run_file, ["curriculum={schedule: competence, by: metadata}"])
    assert train(config).folder.exists()


def test_spans_are_learnt_and_found_beyond_the_first_window(tmp_path, tiny_model):
    data = run_data(tmp_path, tiny_model, epochs=6) | {"max_length": 5}
    rows = []
    for line in (tmp_path / "reviews.csv").read_text(encoding="utf-8").splitlines()[1:]:
        text = line.split(",")[0]
        spans = [match.span() for match in re.finditer(rf"\b({'|'.join(GOOD)})\b", text)]
        terms = [{"term": text[start:end], "start": start, "end": end} for start, end in spans]
        rows.append(json.dumps({"text": text, "terms": terms}) + "\n")
    (tmp_path / "terms.jsonl").write_text("".join(rows), encoding="utf-8")
    data["sources"] = {"reviews": {"path": str(tmp_path / "terms.jsonl")}}
    data["tasks"] = {"terms": {"source": "reviews", "kind": "extraction", "label": "terms"}}
    scores = {}
    for how in ("cut", "windows"):
        run = train(make_config({**data, "long_texts": how, "output": str(tmp_path / how)}))
        scores[how] = run.run_score
    assert scores["windows"] > 0.9 > scores["cut"]


def test_texts_that_fit_train_as_they_do_without_windows(tmp_path, tiny_model):
    for name in ("windows", "cut"):
        run_file = windows_run(tmp_path / name, tiny_model, max_length=32, max_steps=6)
        train(load_config(run_file, [f"long_texts={name}"]))
    assert_same(tmp_path / "windows" / "run", tmp_path / "cut" / "run")
