"""The benchmark of the merge search compares equal computations."""

import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TEXTS = [f"the phone of {name} is good but the price is bad" for name in ("my home", "your staff", "the actor")]


@pytest.fixture
def search(monkeypatch):
    pytest.importorskip("mergekit")
    monkeypatch.syspath_prepend(BENCHMARKS)
    from mergekit.plan import MergePlanner

    import merge_search

    monkeypatch.setattr(MergePlanner, "plan_tensor", MergePlanner.plan_tensor)
    merge_search.mend_mergekit()
    return merge_search


@pytest.mark.parametrize("operator", ["task_arithmetic", "ties"])
@pytest.mark.parametrize(("model", "writes"), [("tiny_model", False), ("tiny_llm", True)])
def test_both_ways_score_the_same_candidate_alike(search, request, tmp_path, model, writes, operator):
    bench = search.Bench(str(request.getfixturevalue(model)), writes, TEXTS, tmp_path)
    before = {name: tensor.clone() for name, tensor in bench.base.tensors.items()}
    held, loaded = bench.in_memory(operator, 0), bench.by_disk(operator, 0)
    torch.testing.assert_close(held.logits, loaded.logits, rtol=1e-3, atol=1e-4)
    assert held.logits.shape[0] == len(TEXTS)
    # Coefficients, and so candidates, differ by turn; the base is as before; nothing is left of the checkpoint.
    assert (held.logits - bench.in_memory(operator, 1).logits).abs().max() > 1e-3
    assert all(torch.equal(tensor, before[name]) for name, tensor in bench.base.tensors.items())
    assert 0 < held.ready < held.whole
    assert not (tmp_path / "merged").exists()


def test_it_measures(search, tiny_model, monkeypatch, capsys):
    monkeypatch.setattr(search, "read_texts", lambda count: TEXTS)
    search.main(["--backbones", str(tiny_model), "--candidates", "6"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(result["results"]) == [f"{tiny_model.name}, task_arithmetic", f"{tiny_model.name}, ties"]
    for row in result["results"].values():
        assert row["ready low"] <= row["ready ratio"] <= row["ready high"]
        assert row["ready in memory"] > row["whole in memory"]
        assert row["same predictions"] == 1.0


def test_a_goal_is_missed_beyond_the_noise(search):
    row = {"ready high": 5.1, "ready ratio": 4.5, "difference": 0.01, "spread": 2.0}
    assert search.find_missed({"a": row}) == []
    assert search.find_missed({"a": row | {"ready high": None}}) == ["a"]
    assert search.find_missed({"a": row | {"difference": float("nan")}}) == ["a: difference"]
