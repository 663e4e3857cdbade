"""Every planted fault is found, in one call; clean data give no warning."""

import json
import sys

import pytest

from equipoise.cli import main
from equipoise.config import make_config
from equipoise.training.audited_table import load_audited
from plants import GERMAN, PLANTS, make_rows, write_rows


@pytest.fixture(scope="module")
def call_check(tmp_path_factory):
    """Call `equipoise check --json` on a run file; return exit code and object."""

    def call(folder, data, *options):
        import contextlib
        import io
        from unittest import mock

        (folder / "run.yaml").write_text(json.dumps(data), encoding="utf-8")
        out = io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["equipoise", "check", str(folder / "run.yaml"), "--json", *options]),
            contextlib.redirect_stdout(out),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        return ended.value.code, json.loads(out.getvalue())

    return call


def run_file(folder, model, sources, tasks):
    train = {"epochs": 1, "batch_size": 8, "evaluations": 1}
    return {
        "model": str(model),
        "max_length": 100,
        "sources": sources,
        "tasks": tasks,
        "train": train,
        "output": str(folder / "run"),
    }


@pytest.fixture(scope="module")
def planted(tmp_path_factory, tiny_model, call_check):
    """What one call finds where every plant has a source and a task of its own."""
    folder = tmp_path_factory.mktemp("planted")
    names = [f"p{number}" for number in range(len(PLANTS))]
    written = {name: plant.write(folder, name) for name, plant in zip(names, PLANTS, strict=True)}
    sources = {name: source for name, (source, _) in written.items()}
    tasks = {name: task for name, (_, task) in written.items()}
    code, found = call_check(folder, run_file(folder, tiny_model, sources, tasks), "--fast")
    assert (code, found["can_run"]) == (0, True)
    return found["findings"]


@pytest.mark.parametrize("number", range(len(PLANTS)), ids=[plant.name for plant in PLANTS])
def test_a_planted_fault_is_found(planted, number):
    found = [finding for finding in planted if f"'p{number}'" in finding["about"]]
    (hit,) = [finding for finding in found if finding["code"] == PLANTS[number].code][:1] or [None]
    assert hit is not None, [finding["code"] for finding in found]
    assert hit["advice"].endswith((".", ")"))
    for example in hit["examples"]:
        assert f"/p{number}" in example["file"]
        assert (example["unit"], example["number"] > 0) == ("line", True)


def test_a_split_by_group_says_what_was_asked_for_and_what_came_out(planted):
    (found,) = [finding for finding in planted if finding["code"] == "S09"]
    assert found["message"] == (
        "asked for train 80%, dev 10%, test 10% but got train 73%, dev 20%, test 7%: 15 groups, each in one split, the "
        "largest with 7% of the 90 rows"
    )


def test_clean_data_give_no_warning(tmp_path, tiny_model, call_check):
    write_rows(tmp_path / "rows.jsonl", make_rows("clean", 700))
    tasks = {
        "what": {"source": "rows", "kind": "classification"},
        "how": {"source": "rows", "kind": "regression", "label": "score", "range": [0, 1]},
    }
    data = run_file(tmp_path, tiny_model, {"rows": {"path": str(tmp_path / "rows.jsonl")}}, tasks)
    code, found = call_check(tmp_path, data, "--strict")
    assert (code, found["can_run"]) == (0, True)
    # Labels at random: some of them look wrong.
    assert {finding["code"] for finding in found["findings"]} <= {"R01", "R02", "R04", "L14"}
    assert {finding["level"] for finding in found["findings"]} == {"note"}
    assert sum(found["rows"].values()) == 700
    assert found["classes"]["what"]["train"].keys() == {"gain", "loss", "draw"}


def test_wrong_labels_are_suspected(tmp_path, tiny_model, call_check):
    rows = make_rows("wrong", 300)
    words = {"gain": "good great love", "loss": "bad awful hate", "draw": "film plot actor"}
    for row in rows:
        row["text"] = f"{' '.join([words[row['label']]] * 4)} {row['text']}"
    wrong = [row for row in rows if row["label"] == "gain"][:8]
    for row in wrong:
        row["label"] = "loss"
    write_rows(tmp_path / "rows.jsonl", rows)
    tasks = {"what": {"source": "rows", "kind": "classification"}}
    data = run_file(tmp_path, tiny_model, {"rows": {"path": str(tmp_path / "rows.jsonl")}}, tasks)
    _, found = call_check(tmp_path, data)
    (hit,) = [finding for finding in found["findings"] if finding["code"] == "L14"]
    places = {rows.index(row) + 1 for row in wrong}
    assert {example["number"] for example in hit["examples"]} <= places
    assert hit["count"] <= 12
    assert all(example["beside"] == "label loss" for example in hit["examples"])


@pytest.mark.parametrize(("share", "code"), [(4, "T12"), (1, "T13")])
def test_other_languages_are_noticed(tmp_path, share, code):
    """One text in four is German, then all are."""
    rows = make_rows("german", 120)
    for number, row in enumerate(rows[::share]):
        row["text"] = f"{GERMAN[number % 4]} {row['text'].split()[0]} {number}"
    write_rows(tmp_path / "rows.jsonl", rows)
    sources, tasks = {"rows": {"path": str(tmp_path / "rows.jsonl")}}, {"rows": {"source": "rows"}}
    tasks["rows"]["kind"] = "classification"
    config = make_config(run_file(tmp_path, "minilm", sources, tasks))
    found = {finding.code: finding for finding in load_audited(config, fast=False).findings}
    assert "'de'" in found[code].message or "de 2" in found[code].message
    assert found.keys() & {"T12", "T13"} == {code}
