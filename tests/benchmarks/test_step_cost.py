"""The cost benchmark measures what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cost(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import step_cost

    return step_cost


def test_it_measures_time_and_memory(cost, capsys):
    cost.main(["--quick", "--models", "tiny", "--tasks", "2", "--seconds", "0"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = result["results"]["tiny"]["2"]
    assert {"dao", "imtl_g", "pcgrad", "upgrad", "mgda", cost.LOSS_ONLY, "torchjd upgrad"} < rows.keys()
    assert rows["dao"]["ratio"] > 0
    assert rows["dao"]["low"] is None  # of a single step there is no interval
    assert rows["dao"]["1 + rule"] > 1
    assert rows["torchjd upgrad"]["1 + rule"] is None
    # One gradient of all parameters by task stays in memory at once: 2 × 2 MB.
    assert rows["upgrad at parameters"]["memory"] > rows["upgrad"]["memory"]


def test_the_plain_sum_stands_between_the_others(cost):
    order = list(cost.with_plain(list("abcdefg"), distance=3))
    assert order == [cost.PLAIN, *"abc", cost.PLAIN, *"def", cost.PLAIN, "g", cost.PLAIN]


def test_every_way_makes_the_gradients_of_the_plain_sum_where_weights_are_equal(cost):
    bench = cost.Bench("tiny", 2)
    bench.eval()
    grads = {}
    for name, way in {"plain": bench.plain(), "equal": bench.ours("equal"), "mean": bench.torchjd("Mean")}.items():
        bench.optimizer.zero_grad()
        bench.optimizer.step = lambda: None
        way()
        grads[name] = bench.backbone.embeddings.word_embeddings.weight.grad.clone()
    np.testing.assert_allclose(grads["equal"], grads["plain"], atol=1e-7)
    np.testing.assert_allclose(2 * grads["mean"], grads["plain"], atol=1e-7)


def test_a_goal_is_missed_only_beyond_the_noise(cost):
    row = {"goal": 1.05, "ratio": 1.06, "low": 1.04, "high": 1.08, "1 + rule": 1.01}
    assert not cost.is_missed(row)
    assert cost.is_missed(row | {"low": 1.055})
    assert not cost.is_missed(row | {"low": None})
    assert cost.is_missed(row | {"1 + rule": 1.06})
    assert not cost.is_missed(row | {"goal": None, "low": 1.055})
    assert cost.goal("dao", 8) == 1.15
    assert cost.goal("uncertainty", 4) == 1.01
    assert cost.goal("famo", 2) is None
