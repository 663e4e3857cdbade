"""`equipoise difficulty`: measures of a run file, its folder, its page, its tables."""

import json
import re
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from corpus import asked_data, run_data, words_data, write_corpus, write_data
from equipoise.cli import app, main
from equipoise.config import make_config
from equipoise.curriculum import gather_difficulty, measure_difficulty
from equipoise.data import load_table
from equipoise.training import train
from pages import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_model):
    """The folder of a run file with tasks of three kinds, measured by the command."""
    folder = tmp_path_factory.mktemp("measured")
    data = words_data(folder, tiny_model)
    data["tasks"]["polarity"] = {"source": "reviews", "kind": "classification", "label": "label", "pair": "aspect"}
    result = CliRunner().invoke(app, ["difficulty", str(write_data(folder, data))])
    assert result.exit_code == 0, result.output
    (folder / "output.txt").write_text(result.output)
    return folder


def examples_of(folder):
    return [json.loads(line) for line in (folder / "run" / "difficulty" / "difficulty.jsonl").read_text().splitlines()]


def test_every_training_example_of_every_task_has_a_line(folder, tiny_model):
    data = words_data(folder, tiny_model)
    data["tasks"]["polarity"] = {"source": "reviews", "kind": "classification", "label": "label", "pair": "aspect"}
    table = load_table(make_config(data))
    lines = examples_of(folder)
    for name in table.tasks:
        own = [line for line in lines if line["task"] == name]
        assert [line["row"] for line in own] == table.rows(name, "train").tolist()
        assert all(0 < line["metadata"] < 1 and 0 <= line["confidence"] <= 1 for line in own)
        assert own[0]["length"] == len(f"{table.splits['train'][own[0]['row']]['text']}".split()) + (name == "polarity")
    assert {path.name for path in (folder / "run" / "difficulty").iterdir()} == {"difficulty.jsonl", "difficulty.html"}


def test_the_correlations_are_spearmans(folder, tiny_model):
    data = words_data(folder, tiny_model)
    results = gather_difficulty(measure_difficulty(make_config(data)))
    lines = [line for line in examples_of(folder) if line["task"] == "intensity"]
    found = results["tasks"]["intensity"]["correlations"]
    assert found["names"] == ["metadata", "pvi", "confidence", "variability", "forgetting"]
    pvi, confidence = ([line[key] for line in lines] for key in ("pvi", "confidence"))
    assert found["values"][1][2] == pytest.approx(spearmanr(pvi, confidence).statistic, abs=1e-3)
    assert found["values"][0][0] == pytest.approx(1)
    about = results["tasks"]["intensity"]
    assert about["pvi"] == pytest.approx(np.mean(pvi), abs=1e-5)
    assert about["suspected"] == np.mean([line["suspected"] for line in lines])


def test_the_page_has_every_part_and_needs_nothing_else(folder):
    html = (folder / "run" / "difficulty" / "difficulty.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.headings[1:6] == ["Tasks", "From easy to hard", "Data maps", "PVI", "How far the measures agree"]
    assert len(page.labels) == 3
    (table,) = page.tables
    assert [row[0] for row in table[1:]] == ["words", "intensity", "polarity"]
    assert re.findall(r"\w+:?//|@import|javascript:", html) == []
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    for figure in re.findall(r"<svg.*?</svg>", html, re.S):
        assert re.findall(r"#[0-9a-f]{6}\b", figure) == []


def test_the_terminal_has_both_tables_and_says_where_the_page_is(folder):
    output = (folder / "output.txt").read_text()
    assert "Difficulty of the training examples" in output
    assert "How far the measures agree" in output
    assert "run/difficulty/difficulty.html" in output


def test_a_run_and_its_difficulty_stand_side_by_side(tmp_path, tiny_model):
    path = write_data(tmp_path, run_data(tmp_path, tiny_model, max_steps=2, evaluations=1))
    for _ in range(2):
        assert CliRunner().invoke(app, ["difficulty", str(path)]).exit_code == 0
    train(path)
    train(path, overwrite=True)
    assert (tmp_path / "run" / "difficulty" / "difficulty.html").exists()


def test_other_files_are_never_replaced(tmp_path, tiny_model, capsys, monkeypatch):
    path = write_data(tmp_path, run_data(tmp_path, tiny_model))
    (tmp_path / "run" / "difficulty").mkdir(parents=True)
    (tmp_path / "run" / "difficulty" / "thesis.txt").write_text("mine")
    code, message = call(monkeypatch, capsys, path)
    assert code == 1
    assert "holds other files (thesis.txt)" in message
    assert (tmp_path / "run" / "difficulty" / "thesis.txt").read_text() == "mine"


def call(monkeypatch, capsys, path):
    monkeypatch.setattr(sys, "argv", ["equipoise", "difficulty", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code, capsys.readouterr().err


def test_a_training_split_of_one_class_is_one_message(tmp_path, tiny_model, capsys, monkeypatch):
    data = run_data(tmp_path, tiny_model)
    corpus = tmp_path / "reviews.csv"
    corpus.write_text(re.sub("negative|neutral", "positive", corpus.read_text()))
    code, message = call(monkeypatch, capsys, write_data(tmp_path, data))
    assert code == 1
    assert "every training label is 'positive', expected two classes or more" in message
    assert not (tmp_path / "run").exists()


def test_texts_to_write_have_meta_data_only_and_it_says_so(tmp_path, tiny_llm):
    write_corpus(tmp_path, 60)
    path = write_data(tmp_path, asked_data(tmp_path, tiny_llm))
    result = CliRunner().invoke(app, ["difficulty", str(path)])
    assert result.exit_code == 0, result.output
    assert "Task 'title' is measured by meta data only" in result.output
    lines = examples_of(tmp_path)
    assert "pvi" not in next(line for line in lines if line["task"] == "title")
    assert "pvi" in next(line for line in lines if line["task"] == "tone")


def test_a_backbone_from_scratch_has_meta_data_only(tmp_path):
    path = write_data(tmp_path, run_data(tmp_path, "bilstm"))
    result = CliRunner().invoke(app, ["difficulty", str(path)])
    assert "bilstm starts from nothing and has no features yet" in result.output
    page = Page((tmp_path / "run" / "difficulty" / "difficulty.html").read_text())
    assert page.labels == []
