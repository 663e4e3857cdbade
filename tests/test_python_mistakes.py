"""What a caller in Python gets wrong ends in one message; what is shown of objects is short."""

import ast
import subprocess
import sys
from pathlib import Path

import pandas
import polars
import pyarrow
import pytest

import equipoise
from equipoise.errors import OVERWRITE, RESUME, DataError, TrainingError, UsageError, did_you_mean
from equipoise.training import Run
from equipoise.training.run_folder import check_run_output
from length_predictor import LengthPredictor

FRAME = {"text": ["a", "bb"], "stars": [1, 2]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equipoise.propose(None), r"propose\(\): found NoneType, expected a path"),
        (lambda: equipoise.propose(3), r"propose\(\): found int, expected a path"),
        (lambda: equipoise.propose([3]), "found a list that begins with 3, expected dicts"),
        (lambda: equipoise.propose(pandas.Series(["a.csv"])), r"propose\(\): found Series, expected a path"),
        (lambda: equipoise.propose(polars.Series(["a.csv"])), r"propose\(\): found Series, expected a path"),
        (lambda: equipoise.tune(None), "run file: found NoneType, expected a path"),
        (lambda: equipoise.tune(pandas.DataFrame(FRAME)), "run file: found DataFrame, expected a path"),
        (lambda: equipoise.evaluate(None, None), "run file: found NoneType, expected a path"),
        (lambda: equipoise.train("no.yaml", settings="x"), "settings: found 'x', expected a dict"),
        (lambda: equipoise.train("no.yaml", settings={1: 2}), "settings: found {1: 2}, expected a dict"),
        (lambda: equipoise.train("no.yaml", resume="yes"), "resume: found 'yes', expected True or False"),
        (lambda: equipoise.train("no.yaml", overwrite=1), "overwrite: found 1, expected True or False"),
        (lambda: equipoise.train("no.yaml", tasks={}, text="a"), "no.yaml: cannot read the run file"),
        (lambda: LengthPredictor().predict(["a"], errors="x"), "errors: found 'x', expected 'raise' or 'answer'"),
    ],
)
def test_a_wrong_argument_is_one_message(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, pyarrow.table])
def test_every_table_that_trains_is_answered(make):
    predictor = LengthPredictor()
    expected = predictor.predict([{"text": "a", "stars": 1}, {"text": "bb", "stars": 2}], skip=["towards"])
    assert predictor.predict(make(FRAME), skip=["towards"]) == expected
    assert predictor.predict(make({"text": []}), skip=["towards"]) == []
    with pytest.raises(UsageError, match=r"collect it first"):
        predictor.predict(polars.LazyFrame(FRAME))


def test_a_column_of_numbers_is_no_column_of_texts(tmp_path):
    frame = pandas.DataFrame({"text": map(str, "ab" * 50), "stars": [1, 2] * 50, "topic": ["x", "y"] * 50})
    tasks = {"topic": {"kind": "classification", "label": "topic"}}
    with pytest.raises(DataError, match="column 'stars': found numbers alone, expected texts"):
        equipoise.train(frame, tasks=tasks, text="stars", model="bilstm", output=tmp_path / "run")


def test_packages_are_there_when_they_are_asked_for():
    code = "import equipoise; equipoise.affinity.mix; equipoise.merging.fisher; equipoise.nothing"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stderr.endswith("AttributeError: module 'equipoise' has no attribute 'nothing'\n")


def test_a_finished_run_is_told_with_the_way_out_in_python(tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.training.run_folder.check_output", lambda *arguments: True)
    monkeypatch.setattr("equipoise.training.run_folder.inputs_of", lambda config: [])
    config = type("Config", (), {"output": tmp_path})
    (tmp_path / "report.html").touch()
    with pytest.raises(TrainingError, match=r"with --overwrite \(in Python: overwrite=True\), .*in Python: output=…"):
        check_run_output(config, resume=False, overwrite=False)


def test_messages_name_options_as_the_command_and_as_python_have_them():
    # What is below `cli` is called from Python, too; it takes the words from `equipoise.errors`.
    root = Path(equipoise.__file__).parent
    found = [
        f"{path.relative_to(root)}, line {node.lineno}"
        for path in root.rglob("*.py")
        if "cli" not in path.parts and path != root / "errors.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if "--overwrite" in node.value or "--resume" in node.value
    ]
    assert found == []
    assert (OVERWRITE, RESUME) == (
        "--overwrite (in Python: overwrite=True)",
        "--resume (in Python: resume=True)",
    )


def test_what_is_shown_is_short(tmp_path):
    shown = repr(LengthPredictor())
    assert shown.startswith("LengthPredictor(")
    assert "length: regression" in shown
    records = [{"task": "b"}, {"task": "a"}, {"task": "b"}]
    assert repr(Run(tmp_path, records, 0.5)) == f"Run({str(tmp_path)!r}, run_score=0.5000, tasks: a, b)"


def test_letters_in_another_order_are_meant_first():
    assert did_you_mean("doa", ["dwa", "dao", "dba"]) == "Did you mean 'dao'?"
