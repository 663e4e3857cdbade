"""How sure a head is of the items it finds, and whether that holds."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.evaluation import score_task
from equipoise.kinds import Extraction
from equipoise.kinds.calibration import Calibration, fit_platt, scale_scores
from equipoise.kinds.extraction.metrics import METRICS
from equipoise.kinds.item_confidence import list_right, list_scores, mark_unsure, rescale

TASK = Extraction("terms", "s", "text", None, "label", "extraction_f1", ("bad", "good"))


def lists(*texts):
    """Lists of items, each written as term, polarity and, of predictions, score."""
    keys, place = ("term", "polarity", "score"), {"start": 0, "end": 3}
    rows = [[dict(zip(keys, item, strict=False)) | place for item in items] for items in texts]
    return np.array([json.dumps(row) for row in rows], object)


GOLD = lists([("fan", "good"), ("lid", "bad")], [], [("fan", "bad")])
FOUND = lists([("fan", "good", 0.9), ("lid", "good", 0.6)], [("box", "bad", 0.4)], [])


def test_items_are_right_where_their_text_s_label_has_them():
    assert list_scores(FOUND).tolist() == [0.9, 0.6, 0.4]
    assert list_right(GOLD, FOUND, TASK.compared).tolist() == [True, False, False]
    assert TASK.confidences(FOUND).tolist() == [0.9, 0.6, 0.4]
    assert TASK.is_right(FOUND, GOLD).tolist() == [True, False, False]


def test_the_metrics_are_over_items():
    ece, brier = METRICS["ece"], METRICS["brier"]
    assert brier(GOLD, FOUND) == pytest.approx((0.1**2 + 0.6**2 + 0.4**2) / 3)
    assert ece(GOLD, FOUND) == pytest.approx((0.1 + 0.6 + 0.4) / 3)


def test_what_finds_nothing_has_no_calibration_error():
    records = score_task(TASK, lists([], [], []), GOLD, split="test", model="majority", bootstrap=20)
    assert {record["metric"] for record in records} == set(TASK.metrics)


def test_a_line_on_logits_is_found_again():
    draw = np.random.default_rng(0)
    scores = draw.uniform(0.05, 0.999, 40_000)
    truth = 1 / (1 + np.exp(-(0.5 * np.log(scores / (1 - scores)) - 1.0)))
    found = fit_platt(scores, draw.uniform(size=len(scores)) < truth)
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((0.5, -1.0), abs=0.05)
    np.testing.assert_allclose(scale_scores(scores, found), truth, atol=0.02)


def test_nothing_is_fitted_to_few_items():
    assert fit_platt(np.linspace(0.1, 0.9, 29), np.arange(29) > 10) is None


@pytest.mark.parametrize(
    ("scores", "right"),
    [([0.9] * 40, [True, False] * 20), ([0.8, 0.9] * 20, [True, False] * 20)],
    ids=["equal scores", "the surest are wrong"],
)
def test_where_scores_say_nothing_their_mean_is_made_right(scores, right):
    found = fit_platt(np.array(scores), np.array(right))
    assert found.slope == 1
    assert scale_scores(np.array(scores), found).mean() == pytest.approx(0.5, abs=0.01)


def test_items_that_are_all_right_do_not_make_a_model_certain():
    scores = np.linspace(0.6, 0.99, 50)
    found = fit_platt(scores, np.ones(50, bool))
    assert scale_scores(scores, found).mean() == pytest.approx(51 / 52, abs=1e-3)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
    st.floats(0.1, 3),
    st.floats(-3, 3),
)
def test_calibrated_scores_are_probabilities_in_their_order(scores, slope, intercept):
    found = lists([("fan", "good", score) for score in scores], [])
    after = list_scores(rescale(found, Calibration(100, slope=slope, intercept=intercept)))
    assert ((after >= 0) & (after <= 1)).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(after[order]) >= 0).all()


def test_what_cannot_be_read_or_has_no_score_stays():
    found = np.array(['{"unparsed": "?", "reason": "no list"}', '[{"term": "fan", "polarity": "good"}]'], object)
    after = rescale(found, Calibration(100, slope=0.5, intercept=-1.0))
    assert after[0] == found[0]
    assert json.loads(after[1]) == json.loads(found[1])


def test_an_unsure_item_is_marked():
    answer = json.loads(FOUND[0])
    assert mark_unsure(answer, 0.7) == [answer[0], {**answer[1], "unsure": True}]
    assert TASK.abstain(answer, FOUND[0], 0.7) == mark_unsure(answer, 0.7)


def test_a_task_is_calibrated_on_items():
    draw = np.random.default_rng(1)
    gold = lists(*([("fan", "good")] for _ in range(300)))
    words = np.where(draw.uniform(size=300) < 0.6, "fan", "lid")
    found = lists(*([(word, "good", draw.uniform(0.9, 0.99))] for word in words))
    task = TASK.calibrated(found, gold)
    assert task.calibration is not None
    assert task.calibration.rows == 300
    assert task.conformity is None
    assert task.is_calibrated
    assert list_scores(task.calibrate(found)).mean() == pytest.approx(0.6, abs=0.03)
    assert math.isclose(METRICS["extraction_f1"](gold, task.calibrate(found)), (words == "fan").mean())
    assert not task.without_calibration().is_calibrated
