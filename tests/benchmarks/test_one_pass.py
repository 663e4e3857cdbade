"""The benchmark of one pass lets all ways answer the same, and measures them."""

import json
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TEXTS = ["a good film", "the worst phone of all, and slow", "nice", "we had a long day at work with no profit"]


@pytest.fixture
def one_pass(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import one_pass

    return one_pass


def test_it_measures_every_way_and_draws(one_pass, tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(one_pass, "read_texts", lambda count: TEXTS[:count])
    monkeypatch.setattr(one_pass, "run_apart", lambda script, arguments, texts: 100.0 * len(arguments[-1]))
    picture = tmp_path / "tasks.svg"
    sizes = ["--tasks", "1", "2", "--texts", "3", "--turns", "6"]
    one_pass.main(["--model", str(tiny_model), *sizes, "--picture", str(picture)])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["missed"] == []
    assert result["texts"] == 3
    for rows in result["results"].values():
        assert list(rows) == list(one_pass.WAYS)
        assert rows["one model"]["ratio"] == 1
        for way in list(rows)[1:]:
            assert 0 < rows[way]["low"] <= rows[way]["ratio"] <= rows[way]["high"]
    drawn = picture.read_text(encoding="utf-8")
    assert all(colour in drawn for colour in ("#0072b2", "#d55e00", "#009e73", "#808080"))
    assert "#ffffff" not in drawn


def test_memory_is_taken_in_a_process_with_one_way(one_pass, tiny_model):
    pytest.importorskip("resource")
    from measuring import run_apart

    arguments = ["--model", str(tiny_model), "--tasks", "2", "--memory-of", one_pass.ONE]
    assert run_apart(one_pass.__file__, arguments, TEXTS) > 50


def test_every_way_answers_every_task_for_every_text(one_pass, tiny_model):
    one, pipes, by_length, single = (one_pass.make(way, str(tiny_model), 2)(TEXTS) for way in one_pass.WAYS)
    assert [list(answer) for answer in one] == [["text", "task 0", "task 1"]] * 4
    assert [[list(answer) for answer in answers] for answers in single] == [
        [["text", "task 0"]] * 4,
        [["text", "task 1"]] * 4,
    ]

    def probabilities(answers):
        by_label = [[sorted(answer, key=lambda entry: entry["label"]) for answer in own] for own in answers]
        return np.array([[[entry["score"] for entry in answer] for answer in own] for own in by_label])

    assert probabilities(pipes).shape == (2, 4, 3)
    np.testing.assert_allclose(probabilities(pipes).sum(-1), 1, atol=1e-5)
    # The same classifiers, so the sorted texts' answers are back in their places.
    np.testing.assert_allclose(probabilities(by_length), probabilities(pipes), atol=5e-7)
    assert np.ptp(probabilities(pipes), axis=1).min() > 5e-6


def test_one_of_six_tasks_extracts_and_one_is_ordinal(one_pass, tiny_model):
    one, pipes = (one_pass.make(way, str(tiny_model), 6)(TEXTS) for way in (one_pass.ONE, one_pass.PIPELINES))
    for text, answer, found in zip(TEXTS, one, pipes[4], strict=True):
        assert all(text[item["start"] : item["end"]] == item["term"] for item in answer["task 4"])
        assert all(entry["end"] <= len(text) for entry in found)
    assert any(answer["task 4"] for answer in one)
    assert len(one[0]["task 5"]["probabilities"]) == len(pipes[5][0]) == 5


def test_a_goal_is_missed_beyond_the_noise_or_by_memory(one_pass):
    one = {"mib": 100.0}
    row = {"goal": 5.0, "ratio": 4.9, "low": 4.7, "high": 5.1, "mib": 200.0}
    assert not one_pass.is_missed(row, one)
    assert one_pass.is_missed(row | {"high": 4.95}, one)
    assert one_pass.is_missed(row | {"low": None, "high": None}, one)
    assert one_pass.is_missed(row | {"mib": 100.0}, one)
    assert not one_pass.is_missed(row | {"goal": None, "high": 4.95}, one)
