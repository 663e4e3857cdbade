"""The benchmark of answer scoring compares equal computations."""

import json
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TEXTS = [f"the phone of {name} is good but the price is bad. " * 30 for name in ("my home", "your staff", "the actor")]


@pytest.fixture
def scoring(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import answer_scoring

    return answer_scoring


def test_packed_and_naive_scores_are_equal_and_of_the_same_prompts(scoring, tiny_llm):
    bench = scoring.Bench(str(tiny_llm), [*TEXTS, "too short"], 300)
    assert len(bench.rows) == 3  # a text that does not fill its place is left out
    assert bench.prompts(0).shape == (scoring.ROWS, 300)
    asked = bench.model.tokenizer.decode(bench.prompts(0)[0])
    assert asked.startswith("the phone of my home")
    assert asked.endswith("size and weight.\nAnswer:")
    packed, _ = bench.score_packed(0)
    naive, _ = bench.score_naively(0)
    assert packed.shape == (scoring.ROWS, len(scoring.LABELS))
    torch.testing.assert_close(packed, naive, atol=1e-4, rtol=0)
    assert packed.std(1).min() > 0.1
    assert packed.std(0).max() > 1e-3


def test_it_measures(scoring, tiny_llm, monkeypatch, capsys):
    monkeypatch.setattr(scoring, "read_texts", lambda count: TEXTS)
    scoring.main(["--model", str(tiny_llm), "--tokens", "300", "--turns", "6"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["tokens"] == 300 < result["packed_tokens"]
    assert result["difference"] < 1e-4
    rows = result["results"]
    assert rows["packed"]["low"] <= rows["packed"]["ratio"] <= rows["packed"]["high"]
    assert rows["naive"]["ratio"] > rows["packed"]["ratio"]


@pytest.mark.starter
def test_the_prompts_and_labels_are_as_long_as_stated(scoring, smollm2, vader_corpus):
    bench = scoring.Bench(str(smollm2), scoring.read_texts(20), scoring.TOKENS)
    assert len(bench.rows) >= scoring.ROWS
    assert [len(answer) for answer in bench.answers] == [3] * 6
    assert {len(row["input_ids"]) for row in bench.rows} == {60 + 6 * 2}


def test_a_goal_is_missed_beyond_the_noise(scoring):
    assert scoring.find_missed({"low": 1.45, "ratio": 1.6}, 1e-5) == []
    assert scoring.find_missed({"low": 1.55, "ratio": 1.6}, 1e-5) == ["time"]
    assert scoring.find_missed({"low": None, "ratio": 1.6}, 2e-4) == ["time", "difference"]
    assert scoring.find_missed({"low": None, "ratio": 1.2}, float("nan")) == ["difference"]
