"""The benchmark of long inputs measures both ways, and memory does not grow with the product of two lengths."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def long_inputs(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import long_inputs

    return long_inputs


def test_memory_does_not_grow_with_the_product_of_both_lengths(long_inputs, tiny_model, tiny_llm, monkeypatch, capsys):
    models = json.dumps({"head": str(tiny_model), "prompt": str(tiny_llm), "windows": str(tiny_model)})
    sizes = ["--words", "100", "10000", "--rows", "2"]
    long_inputs.main([*sizes, "--models", models, "--ways", "head", "windows"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["missed"] == []
    for rows in result["results"].values():
        assert list(rows) == ["100", "10000"]
        # Joined before they are cut, two such rows take more than 1 GiB.
        if rows["10000"]["mib_above"] is not None:
            assert rows["10000"]["mib_above"] < 300
    found = long_inputs.measure("prompt", str(tiny_llm), [50], 2)
    assert found["50"]["texts_mib"] > 0


def test_what_takes_more_is_named(long_inputs):
    rows = {"100": {"mib_above": 3.0}, "10000": {"mib_above": 2000.0}}
    assert long_inputs.find_missed({"head": rows}) == ["head, 10000 words"]
