"""JSON that is strict, and lines of it that survive a kill."""

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest

import equipoise
from equipoise.files import append_json_line, read_json_lines, to_json, write_json

SOURCES = Path(equipoise.__file__).parent


def test_a_line_cut_short_is_passed_over_and_replaced(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_json_lines(path) == []
    append_json_line(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"b":')
    assert read_json_lines(path) == [{"a": 1}]
    append_json_line(path, {"c": "é\u2028"})
    assert read_json_lines(path) == [{"a": 1}, {"c": "é\u2028"}]
    assert path.read_bytes().count(b"\n") == 2


def _strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_numbers_that_are_not_finite_are_null(tmp_path, broken):
    data = {"a": [1.5, broken, {"b": (broken, "é")}], "c": broken}
    expected = {"a": [1.5, None, {"b": [None, "é"]}], "c": None}
    write_json(tmp_path / "data.json", data)
    append_json_line(tmp_path / "lines.jsonl", data)
    assert _strict((tmp_path / "data.json").read_text()) == expected
    assert _strict((tmp_path / "lines.jsonl").read_text()) == expected
    assert read_json_lines(tmp_path / "lines.jsonl") == [expected]


def test_finite_data_are_written_as_before():
    data = {"a": [0.1, 1e-300, -0.0, True, None], 3: "é\u2028"}
    assert to_json(data) == json.dumps(data, ensure_ascii=False)
    assert to_json(data, indent=2) == json.dumps(data, ensure_ascii=False, indent=2)


def test_json_is_written_by_one_function():
    """So that it is strict everywhere; elsewhere JSON is part of messages, identities and texts."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.dumps", "json.dump"):
                found.add(path.relative_to(SOURCES).as_posix())
    messages = {
        "auditing/labels.py",
        "comparison/compare_folder.py",
        "comparison/rows.py",
        "config/keywords.py",
        "data/documents.py",
        "data/spellings.py",
        "predicting/description.py",
        "streaming/partial_output.py",
    }
    identities = {"evolution/search_run.py", "tuning/tune_run.py"}
    texts = {"kinds/spans.py", "proposing/yaml_text.py", "serving/guard.py"}
    assert found == {"files.py"} | messages | identities | texts
