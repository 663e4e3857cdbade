"""The pages of the kinds: their commands and Python run in order, and the faults they name are said in these words."""

import contextlib
import io
import json
import re
import shlex
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from unittest import mock

import pytest
import yaml

from equipoise.auditing import CODES
from equipoise.cli import main
from equipoise.config import make_config
from equipoise.kinds import LabelError, get_kind

ROOT = Path(__file__).parent.parent
KINDS = ("classification", "ordinal", "regression", "multilabel", "generation")
LIMIT = {"train": 96, "dev": 48, "test": 48}
SMALL = {"max_length": 128, "train.max_steps": 4, "train.evaluations": 1, "train.freeze_layers": 1}
SMALL |= {"evaluation.bootstrap": 100, "train.batch_size": 8}


def read_page(kind):
    return (ROOT / "docs" / f"{kind}.md").read_text(encoding="utf-8")


def read_blocks(kind, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", read_page(kind), flags=re.S | re.M)


def read_session(kind):
    """The commands of a page, as words, and the answers that it shows; these have line breaks where JSON has blanks."""
    steps = [step for block in read_blocks(kind, "console") for step in block.removeprefix("$ ").split("\n$ ")]
    parts = [step.strip().partition("\n") for step in steps]
    return [shlex.split(part[0]) for part in parts], [
        json.loads(part[2].replace("\n", " ")) for part in parts if part[2]
    ]


def shape(value):
    """The keys of an answer, whatever the values are; a label may be missing where it is unsure."""
    return {key: shape(part) for key, part in value.items()} if isinstance(value, dict) else isinstance(value, list)


def call(words):
    said = io.StringIO()
    with mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, said.getvalue()
    return said.getvalue()


def draw(run, output):
    spec = spec_from_file_location("draw_kinds", ROOT / "scripts" / "draw_kinds.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw(run, output)


@pytest.mark.starter
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_runs_from_its_file_to_the_answer(kind, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    *before, last = read_blocks(kind, "python")
    for code in before:
        exec(code, {})
    run_file = yaml.safe_load(read_blocks(kind, "yaml")[-1])
    (source,) = run_file["sources"].values()
    source["limit"] = LIMIT
    commands, shown = read_session(kind)
    Path(commands[0][2]).write_text(yaml.safe_dump(run_file), encoding="utf-8")
    model = request.getfixturevalue("tiny_llm" if kind == "generation" else "tiny_model")
    call(
        [
            *commands[0],
            *(word for key, value in {**SMALL, "model": model}.items() for word in ("--set", f"{key}={value}")),
        ]
    )
    said = [json.loads(call(command)) for command in commands[1:]]
    assert len(shown) == len(said) >= (1 if kind == "generation" else 2)
    for answer, expected in zip(said, shown, strict=True):
        assert answer["text"] == expected["text"]
        assert keep(shape(answer)) == keep(shape(expected))
    names = {}
    exec(last, names)
    answer = names["model"].predict(shown[0]["text"])
    assert shape(answer[0]) == shape(shown[0])
    picture = draw(tmp_path / run_file["output"], tmp_path)
    assert f"]({picture.name})" in read_page(kind)
    assert picture.stat().st_size < 60_000


def keep(answer):
    """Leave out what stands in the answer only where it is unsure."""
    if not isinstance(answer, dict):
        return answer
    return {key: keep(part) for key, part in answer.items() if key not in ("unsure", "best")}


FAULTS = [
    (
        "classification",
        {"classes": ["negative", "positive"]},
        ["POS"],
        "found class 'POS', expected one of 'negative', ",
    ),
    ("classification", {}, ["['joy', 'fear']"], "a list written as text, expected one class (or kind: multilabel)"),
    ("classification", {}, ["nan"], "expected a class (if it is one, list all in `classes`)"),
    ("classification", {}, ["joy", "joy"], "expected two classes or more"),
    ("ordinal", {}, ["good"], "classes that are no numbers are listed in the run file, from the lowest to the highest"),
    (
        "ordinal",
        {"classes": ["1", "2", "3", "4", "5"]},
        ["6"],
        "found class '6', expected one of '1', '2', '3', '4', '5'",
    ),
    ("ordinal", {}, ["5", "5"], "expected two classes or more"),
    ("regression", {}, ["n/a"], "expected a number"),
    ("regression", {}, ["3,5"], "expected a number"),
    ("regression", {}, ["inf"], "expected a number"),
    ("regression", {"range": [-4, 4]}, ["41"], "found 41, expected a number from -4 to 4 (the task's range)"),
    ("regression", {}, ["2", "2"], "expected scores that differ"),
    ("multilabel", {}, ["joy,,fear"], "expected a label on both sides of each ','"),
    ("multilabel", {}, ["['joy', fear]"], "a list written as text that cannot be read"),
    ("multilabel", {"label": ["joy"]}, [("maybe",)], "found 'maybe' in column 'joy', expected 0 or 1 (or false, true)"),
    ("multilabel", {"classes": ["joy", "fear"]}, ["anger"], "found label 'anger', expected some of 'joy', 'fear'"),
    ("multilabel", {}, ["joy", "joy"], "expected it on some and not on others"),
    ("generation", {}, ["  "], "expected a text to learn to write"),
]


@pytest.mark.parametrize(("kind", "keys", "cells", "said"), FAULTS, ids=[f"{row[0]}-{row[2][0]}" for row in FAULTS])
def test_what_the_page_says_of_a_fault_is_what_is_said(kind, keys, cells, said):
    assert said in read_page(kind)
    tasks = {"task": {"source": "file", "kind": kind, **keys}}
    config = make_config({"sources": {"file": {"path": "file.csv"}}, "tasks": tasks, "output": "run"})
    task = config.tasks["task"].build_task("task")
    with pytest.raises(LabelError) as raised:
        task.fit([task.parse(cell) for cell in cells])
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_keys_and_metrics_of_a_page_are_those_of_the_kind(kind):
    page = read_page(kind)
    assert set(re.findall(r"`([A-Z]\d\d)`", page)) <= CODES.keys()
    cls = get_kind(kind).task
    row = next(line for line in page.splitlines() if line.startswith("| `metric` |"))
    assert tuple(re.findall(r"`(\w+)`", row.split("|")[2])) == cls.primary_metrics
    assert all(f"`{metric}`" in page for metric in cls.metrics)
