"""The table of curricula: rows, paired differences, going on."""

import json
from pathlib import Path

import pytest

from corpus import run_data, write_data

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import curriculum

    return curriculum


def test_the_table_has_every_schedule_by_every_measure(benchmark):
    assert len(benchmark.ROWS) == len(set(benchmark.ROWS)) == 13
    assert set(benchmark.QUICK_ROWS) < set(benchmark.ROWS)


def test_differences_are_paired_by_seed(benchmark):
    def record(schedule, test, seconds):
        times = {"difficulty_seconds": 0.25 * seconds, "train_seconds": 0.75 * seconds}
        return {"schedule": schedule, "by": "", "dev": test, "test": test, **times}

    none = [record("none", test, 10.0) for test in (0.1, 0.5, 0.9)]
    row = benchmark.gather([record("anti", test, 15.0) for test in (0.2, 0.6, 1.0)], none)
    assert row["test"].value == pytest.approx(0.6)
    assert row["test_gain"] == pytest.approx((0.1, 0.1, 0.1))
    assert row["ratio"] == pytest.approx(1.5)


def test_what_is_recorded_is_not_trained_again(benchmark, tmp_path, tiny_model, capsys, monkeypatch):
    path = write_data(tmp_path, run_data(tmp_path, tiny_model))
    monkeypatch.setattr(benchmark, "ROWS", benchmark.QUICK_ROWS)
    output = tmp_path / "cells.jsonl"
    command = [str(path), "--seeds", "1", "--train-rows", "40", "--set", "train.max_steps=2", "--output", str(output)]
    benchmark.main(command)
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["schedule"] for row in found["table"]["run"]] == ["none", "competence", "mixed"]
    lines = output.read_text().splitlines()
    assert len(lines) == 3
    records = [json.loads(line) for line in lines]
    assert all(record["steps"] == 2 and 0 <= record["test"] <= 1 for record in records)
    assert {record["difficulty_seconds"] > 0 for record in records if record["schedule"] == "none"} == {False}

    def refuse(cell):
        raise AssertionError(cell)

    monkeypatch.setattr(benchmark, "run_cell", refuse)
    benchmark.main(command)
    assert output.read_text().splitlines() == lines
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == found
    # Other settings are other cells.
    config = benchmark.make_config(path, ["train.max_steps=3"], 40, 500)
    assert benchmark.key(benchmark.make_cell("run", config, "none", "", 0)) not in {one["key"] for one in records}
