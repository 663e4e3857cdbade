"""`equipoise predict` on files that are written like those of the training, and read otherwise."""

import sys

import pytest

from equipoise.cli import main
from equipoise.cli.training_files import training_options
from equipoise.config import make_config
from equipoise.training import train

WORDS = {"gut": "schöner", "schlecht": "öder"}


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("like")
    rows = [f"{adjective} Film {number};{label}" for number in range(40) for label, adjective in WORDS.items()]
    path = folder / "reviews.csv"
    path.write_text("\n".join(["text;label", *rows]), encoding="cp1252")
    source = {"path": str(path), "encoding": "cp1252", "sep": ";", "clean": "html"}
    return train(
        make_config(
            {
                "model": str(tiny_model),
                "sources": {"reviews": source},
                "tasks": {"verdict": {"source": "reviews", "kind": "classification"}},
                "train": {"max_steps": 2},
                "evaluation": {"bootstrap": 100, "explain": 0},
                "output": str(folder / "run"),
            }
        )
    )


def predict(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["equipoise", "predict", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0, capsys.readouterr().err


def test_the_options_of_the_training_are_known(run, tmp_path):
    expected = {"encoding": "cp1252", "sep": ";", "clean": "html"}
    assert training_options(run.folder) == training_options(run.folder / "model") == expected
    assert training_options(tmp_path) == {}
    (tmp_path / "config.yaml").write_text("nothing: that holds", encoding="utf-8")
    assert training_options(tmp_path) == {}


def test_a_file_that_cannot_be_read_says_how_those_of_the_training_were(run, tmp_path, monkeypatch, capsys):
    new = tmp_path / "new.csv"
    new.write_text("text;Größe\nschöner Film;3\n", encoding="cp1252")
    code, said = predict(monkeypatch, capsys, run.folder, new)
    assert code == 1
    assert "found 'text;Gr\N{REPLACEMENT CHARACTER}" in said
    assert "The files that this run was trained on are read with --encoding cp1252 --sep ';'." in said
    options = ("--encoding", "cp1252", "--sep", ";")
    code, said = predict(monkeypatch, capsys, run.folder, new, *options, "--clean", "html")
    assert (code, said) == (0, "")


def test_texts_that_were_cleaned_for_the_training_are_not_read_otherwise_unsaid(run, tmp_path, monkeypatch, capsys):
    new = tmp_path / "new.csv"
    new.write_text("text\na film\n", encoding="utf-8")
    assert "trained on texts without HTML; say --clean html" in predict(monkeypatch, capsys, run.folder, new)[1]
    assert "HTML" not in predict(monkeypatch, capsys, run.folder, "a film")[1]
