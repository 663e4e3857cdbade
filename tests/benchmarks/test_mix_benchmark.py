"""The benchmark of `equipoise mix`: what it compares, and that it resumes."""

import json
from pathlib import Path

import numpy as np
import pytest

from corpus import run_data

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import mix

    return mix


def test_ranks_are_compared_over_all_pairs_and_within_targets(bench):
    targets = ["a"] * 4 + ["b"] * 4
    estimated = np.array([1.0, 2, 3, 4, 11, 12, 13, 14])
    trained = np.array([4.0, 3, 2, 1, 24, 23, 22, 21])
    found = bench.compare(targets, estimated, trained)
    assert found["rho"] > 0.4  # targets differ
    assert found["within_targets"] == pytest.approx(-1)
    assert found["low"] <= found["rho"] <= found["high"]
    assert bench.compare(targets, estimated, estimated)["rho"] == pytest.approx(1)


def test_it_measures_every_pair_and_repeats_nothing(bench, tmp_path, tiny_model, monkeypatch, capsys, vader_corpus):
    data = run_data(tmp_path, tiny_model, epochs=1, freeze_layers=1)
    monkeypatch.setattr(bench, "FROZEN", 1)
    monkeypatch.setattr(bench, "PASSES", 1.0)
    monkeypatch.setattr(bench, "run_file", lambda *given, **options: data)
    arguments = [str(tmp_path), "--seeds", "1", "--output", str(tmp_path / "out")]
    bench.main(arguments)
    first = capsys.readouterr().out.splitlines()
    result = json.loads(first[-1])
    assert result["means"]["pairs"] == 6
    assert [line.split()[:2] for line in first[1:-1]] != []
    assert 0 < result["budget"][0]["estimates_share"] < result["budget"][0]["share"]
    monkeypatch.setattr("equipoise.affinity.running.train_for_dev", None)
    bench.main(arguments)
    assert capsys.readouterr().out.splitlines() == first
