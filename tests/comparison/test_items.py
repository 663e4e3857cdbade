"""What a comparison computes from test items, kind by kind."""

import numpy as np
import pytest

from equipoise.evaluation import Items, item_losses, paired_tests
from equipoise.kinds import Classification, Generation, Multilabel, Ordinal, Regression, make_analysis

COMMON = ("s", "text", None, "label")
SCORE = Regression("score", *COMMON, "pearson")
POLARITY = Classification("polarity", *COMMON, "macro_f1", ("bad", "good"))
STARS = Ordinal("stars", *COMMON, "qwk", ("1", "2", "3"))
EMOTIONS = Multilabel("emotions", *COMMON, "macro_f1", ("joy", "fear"))
TITLE = Generation("title", *COMMON, "rouge_l")


def test_the_loss_of_an_item_goes_by_its_kind():
    assert item_losses(SCORE, np.array([0.5, -1.0]), np.array([0.0, 1.0])).tolist() == [0.25, 4.0]
    assert item_losses(POLARITY, np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1])).tolist() == [0.0, 1.0]
    assert item_losses(STARS, np.array([[0, 0, 1], [0, 1, 0]]), np.array([0, 1])).tolist() == [2.0, 0.0]
    gold, decided = np.array([[1, 1], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert item_losses(EMOTIONS, decided, gold).tolist() == [0.5, 0.0]
    assert item_losses(TITLE, np.array(["a fine phone", ""]), np.array(["a phone", "b"])) == pytest.approx([0.2, 1.0])


def test_texts_and_labels_are_tested_by_losses_averaged_over_seeds():
    gold = np.array([f"phone number {i}" for i in range(40)])
    good = np.stack([gold, [f"phone number {i % 20}" for i in range(40)]])
    bad = np.stack([np.full(40, "phone"), np.full(40, "")])
    (test,) = paired_tests("bad", {"title": Items(TITLE, gold, {"good": good, "bad": bad})})
    assert (test["row"], test["task"]) == ("good", "title")
    # ROUGE-L, the loss is what it lacks of 1: always 1, 1 or 2/3 by halves, always 1/2, always 0.
    assert test["difference"]["value"] == pytest.approx((0 + 1 / 6) / 2 - (1 / 2 + 1) / 2)
    assert test["p"] < 0.001


def test_scores_are_averaged_before_they_are_tested():
    gold = np.zeros(30)
    errors = np.stack([np.ones(30), -np.ones(30)])
    small = np.full((2, 30), 0.1)
    (test,) = paired_tests("small", {"score": Items(SCORE, gold, {"errors": errors, "small": small})})
    # Averaged, the errors cancel and beat 0.1; one by one they are larger.
    assert test["ratio"]["value"] == pytest.approx(100)
    assert test["p"] < 0.001


def test_parts_are_labels_classes_or_regions_and_texts_have_none():
    gold = np.array([[1, 0], [1, 1], [0, 0]])
    decided = np.array([[[1, 0], [0, 1], [0, 0]], [[1, 0], [1, 1], [1, 0]]])
    assert make_analysis(EMOTIONS).describe_parts(gold) == [{"name": "joy", "items": 2}, {"name": "fear", "items": 1}]
    joy, fear = make_analysis(EMOTIONS).score_parts(gold, decided)
    assert joy == {"recall": pytest.approx((1 / 2 + 1) / 2), "f1": pytest.approx((2 / 3 + 4 / 5) / 2)}
    assert fear == {"recall": 1.0, "f1": 1.0}
    assert make_analysis(POLARITY).describe_parts(np.array([0, 1, 1])) == [
        {"name": "bad", "items": 1},
        {"name": "good", "items": 2},
    ]
    assert [part["items"] for part in make_analysis(SCORE).describe_parts(np.array([0.0, 0.1, 1.0]))] == [2, 0, 1]
    texts = np.array(["a", "b"])
    assert make_analysis(TITLE).describe_parts(texts) == make_analysis(TITLE).score_parts(texts, texts[None]) == []
