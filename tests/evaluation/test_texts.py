import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from equipoise.evaluation import score_task
from equipoise.kinds import Generation, get_metric
from equipoise.kinds.generation import metrics as texts

TITLE = Generation("title", "s", "text", None, "title", "rouge_l")
TARGETS = ["The strings sound great", "Broken on arrival", "Not worth the money", "Perfect", "!!!", "Ärger pur"]
OUTPUTS = ["Great sounding strings", "It arrived broken", "", "perfect.", "nothing", "rger pur"]
TEXTS = [
    "These are great sounding strings, and cheap.",
    "It broke when it arrived",
    "Not worth it",
    "PERFECT!",
    "word",
    "rger",
]
KINDS = {"rouge_l": "rougeL", "rouge_1": "rouge1", "rouge_2": "rouge2"}


@pytest.mark.parametrize("metric", KINDS)
def test_rouge_is_that_of_rouge_score(metric):
    scorer = RougeScorer([KINDS[metric]], use_stemmer=True)
    expected = [scorer.score(a, b)[KINDS[metric]].fmeasure for a, b in zip(TARGETS, OUTPUTS, strict=True)]
    assert get_metric(metric).items(np.array(TARGETS), np.array(OUTPUTS, dtype=object)).tolist() == expected
    assert get_metric(metric)(TARGETS, OUTPUTS) == pytest.approx(np.mean(expected))


def test_rouge_by_hand():
    # Stems "sound", "great", "string" of three and four words are common; the longest common subsequence is one word.
    assert get_metric("rouge_1")(TARGETS[:1], OUTPUTS[:1]) == pytest.approx(6 / 7)
    assert get_metric("rouge_l")(TARGETS[:1], OUTPUTS[:1]) == pytest.approx(2 / 7)
    assert get_metric("rouge_2")(["a b c"], ["a b d"]) == pytest.approx(1 / 2)


def test_every_pair_is_scored_once(monkeypatch):
    asked = []

    class Scorer:
        def score(self, target, output):
            asked.append((target, output))
            return RougeScorer(list(KINDS.values()), use_stemmer=True).score(target, output)

    texts._score.cache_clear()
    monkeypatch.setattr(texts, "_scorer", Scorer)
    subsets = {"half": np.array(["a", "b"] * 3)}
    score_task(TITLE, OUTPUTS, TARGETS, split="test", model="run", subsets=subsets, bootstrap=100)
    texts._score.cache_clear()
    assert sorted(asked) == sorted(zip(TARGETS, OUTPUTS, strict=True))


def test_empty_outputs_have_no_word():
    outputs = np.array(["", "  ", "...", "ok", "é"], dtype=object)
    assert get_metric("empty").items(outputs, outputs).tolist() == [1, 1, 1, 0, 0]


def test_copied_outputs_stand_in_the_text_word_for_word():
    found = get_metric("copied").items(np.array(TEXTS, dtype=object), np.array(OUTPUTS, dtype=object))
    assert found.tolist() == [1, 0, 0, 1, 0, 0]
    # Words, not parts of words; in their order and without gaps.
    pairs = [("a fine phone", "fine ph"), ("a fine phone", "phone a"), ("a fine phone", "a phone"), ("Fine!", "fine")]
    assert [get_metric("copied")([text], [output]) for text, output in pairs] == [0, 0, 0, 1]


def test_records_of_a_generation_task():
    records = score_task(TITLE, OUTPUTS, TARGETS, split="test", model="run", texts=TEXTS, bootstrap=200)
    assert [record["metric"] for record in records] == ["rouge_l", "rouge_1", "rouge_2", "empty", "copied"]
    values = {record["metric"]: record["value"] for record in records}
    assert values["empty"] == pytest.approx(1 / 6)
    assert values["copied"] == pytest.approx(2 / 6)
    for record in records:
        assert record["low"] <= record["value"] <= record["high"]
        assert record["n"] == 6


def test_without_texts_nothing_is_said_about_copies():
    records = score_task(TITLE, OUTPUTS, TARGETS, split="test", model="run")
    assert [record["metric"] for record in records] == list(TITLE.metrics)


def test_the_interval_is_that_of_a_mean():
    generator = np.random.default_rng(0)
    outputs = [" ".join(generator.choice(["good", "bad", "fine", "phone"], size=4)) for _ in range(300)]
    targets = ["a good phone"] * 300
    rouge = score_task(TITLE, outputs, targets, split="test", model="run", bootstrap=2000)[0]
    half = 1.96 * get_metric("rouge_l").items(targets, outputs).std() / 300**0.5
    assert rouge["high"] - rouge["low"] == pytest.approx(2 * half, rel=0.1)


@pytest.mark.parametrize("outputs", [["a"], [["a", "b"]]])
def test_shapes_that_do_not_fit_are_refused(outputs):
    with pytest.raises(ValueError, match="task 'title'"):
        score_task(TITLE, outputs, ["a", "b"], split="test", model="run")
