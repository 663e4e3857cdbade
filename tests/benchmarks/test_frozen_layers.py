"""The benchmark of frozen layers trains the same rows in every way."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import frozen_layers

    return frozen_layers


def test_it_measures(benchmark, tiny_llm, capfd):
    benchmark.main(["--model", str(tiny_llm), "--layers", "1", "--rows", "20", "--turns", "6"])
    found = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert [(row["frozen"], row["way"]) for row in found["rows"]] == [
        (0, "plain"),
        *((1, way) for way in ("plain", "first", "again")),
    ]
    assert found["again"]["1 layers"] == pytest.approx(found["rows"][-1]["ratio"], abs=1e-4)
    for row in found["rows"]:
        assert row["low"] <= row["ratio"] <= row["high"]


def test_rows_that_are_known_do_not_go_through_frozen_layers(benchmark, tiny_llm):
    ways = benchmark.Ways(str(tiny_llm), 1, 20)
    seen = []
    layer = ways.model.backbone.layers[0]
    layer.self_attn.register_forward_hook(lambda module, args, output: seen.append(1))
    counts = []
    for way in (ways.plain, ways.first, ways.again):
        seen.clear()
        way(0)
        counts.append(len(seen))
    assert counts == [2, 2, 0]
