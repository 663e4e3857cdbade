"""The command `equipoise init`."""

import pytest
from typer.testing import CliRunner

from equipoise.cli import app, init
from equipoise.config import load_config
from equipoise.proposing import Question
from messy import reviews, write_cells

HEADER = ("text", "stars", "author")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_cells(tmp_path / "reviews.csv", HEADER, [[row[name] for name in HEADER] for row in reviews(120)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments, **options):
    return CliRunner().invoke(app, ["init", *map(str, arguments)], **options)


def test_it_writes_a_run_file_and_says_what_comes_next(folder):
    done = call("reviews.csv")
    assert done.exit_code == 0, done.output
    assert "equipoise check run.yaml" in done.output
    for word in ("reviews", "120", "utf-8", "stars", "ordinal", "whole numbers in order"):
        assert word in done.output
    assert load_config(folder / "run.yaml").output == folder / "runs" / "reviews"


def test_paths_start_in_the_folder_of_the_run_file(folder):
    (folder / "runs files").mkdir()
    done = call("reviews.csv", "-o", "runs files/mine.yaml")
    assert done.exit_code == 0, done.output
    assert "equipoise check 'runs files/mine.yaml'" in done.output
    (source,) = load_config(folder / "runs files" / "mine.yaml").sources.values()
    assert source.path == (folder / "reviews.csv",)


def test_it_never_overwrites_by_itself(folder):
    (folder / "run.yaml").write_text("mine: yes\n")
    done = call("reviews.csv")
    assert done.exit_code == 1
    assert "nothing was changed" in str(done.exception)
    done = call("reviews.csv", "--overwrite")
    assert "no run file" in str(done.exception)
    assert (folder / "run.yaml").read_text() == "mine: yes\n"


def test_on_a_terminal_it_asks_and_yes_asks_nothing(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(init, "is_terminal", lambda: True)
    monkeypatch.setattr(init, "_ask", lambda question: asked.append(question) or question.default)
    rows = [[f"some words of text {n}", n % 2, f"p{n % 40}"] for n in range(120)]
    write_cells(folder / "flags.csv", ("text", "flag", "product"), rows)
    assert call("flags.csv", "--yes").exit_code == 0
    assert asked == []
    assert call("flags.csv", "--overwrite").exit_code == 0
    assert 1 <= len(asked) <= 3


def test_answers_are_read_until_they_are_right(monkeypatch, capsys):
    given = iter(["9", "x", "2, 1", "2"])
    monkeypatch.setattr("typer.prompt", lambda *_, **__: next(given))
    question = Question("Which?", ["one", "two"], (0,), several=True)
    assert init._ask(question) == [0, 1]
    assert init._ask(Question("Which?", ["one", "two"])) == [1]
    assert capsys.readouterr().out.count("expected some of 1 to 2") == 2
