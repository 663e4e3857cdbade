"""The commands of docs/own_files.md, one after the other, in a folder of messy files; and with sets of the field."""

import contextlib
import csv
import io
import json
import os
import re
import shlex
import sys
from pathlib import Path
from unittest import mock

import pytest

from equipoise.cli import main
from equipoise.proposing import propose
from messy import read_rated, reviews, write_folder, write_research

PAGE = Path(__file__).parents[2] / "docs" / "own_files.md"
SMALL = ["train.max_steps=4", "train.evaluations=1", "max_length=32", "evaluation.bootstrap=100"]


def commands():
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def call(words, model):
    """Run a command of the page in this process; the model of its run file would take minutes."""
    if words[1] in ("check", "train"):
        words = [*words, *(word for setting in (f"model={model}", *SMALL) for word in ("--set", setting))]
    said = io.StringIO()
    with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    return said.getvalue()


def test_every_command_of_the_page_works_in_its_order(tmp_path, tiny_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rated = [
        {"id": f"a_{number}", "document": f"d{number % 80}", "text": f"{row['text']} & so", "score": 4 * row["score"]}
        for number, row in enumerate(reviews(160, seed=4))
    ]
    write_folder(tmp_path, rated, rows=160)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    lines = [shlex.split(command) for command in commands()]
    assert len(lines) == 5
    said = [call(words, tiny_model) for words in lines]
    for word in ("cp1252", "extraction", "multilabel", "regression", "classification", "ordinal", "check run.yaml"):
        assert word in said[0]
    run_file = (tmp_path / "run.yaml").read_text(encoding="utf-8")
    for line in ("encoding: cp1252", 'sep: ";"', "na: [n/a]", 'decimal: ","', "clean: html", "text: comment.body"):
        assert line in run_file
    assert "# map: {Opinion: {" in run_file
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert [row["Nr"] for row in answers] == ["1", "2"]
    assert all(row["Opinion.label"] and row["ratings.score"] and row["Stars.label"] for row in answers)
    answer = json.loads(said[4])
    assert {"aspects", "comments", "ratings", "Opinion", "Stars"} <= answer.keys()
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.starter
def test_what_the_page_shows_is_what_is_written(tmp_path, monkeypatch, capsys):
    write_folder(tmp_path, read_rated(1200))
    text = PAGE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    proposal = propose(tmp_path / "data", folder=tmp_path)
    written = proposal.text.splitlines()
    for line in shown.splitlines():
        assert any(one.startswith(line.rstrip("…")) for one in written), line
    for task in proposal.tasks:
        assert f"│ {task.name:8} │ {task.kind:14} │ {task.why:58} │" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert "aspects extraction lists of terms" in capsys.readouterr().out


@pytest.mark.skipif("EQUIPOISE_DATA" not in os.environ, reason="needs the sets of the field")
def test_sets_of_the_field_as_messy_spreadsheets_are_learned_without_editing(tmp_path, tiny_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_research(tmp_path, Path(os.environ["EQUIPOISE_DATA"]), rows=150)
    lines = ["init data", "check run.yaml", "train run.yaml", "predict runs/headlines 'A fine day.' --pair day"]
    said = [call(["equipoise", *shlex.split(line)], tiny_model) for line in lines]
    kinds = dict(re.findall(r"│ (\w+) +│ (\w+) +│ [^│]+│$", said[0], re.MULTILINE))
    assert kinds == {
        "Sentiment": "regression",
        "irony": "classification",
        "polarity": "classification",
        "stars": "ordinal",
        "tweets": "classification",
    }
    assert kinds.keys() <= json.loads(said[3]).keys()
