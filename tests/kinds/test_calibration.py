"""Calibration on dev: temperatures, lines, class weights, and what a task says of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import _TemperatureScaling
from sklearn.linear_model import LinearRegression
from sklearn.metrics import brier_score_loss, f1_score, log_loss

from equipoise.kinds import Classification, Multilabel, Ordinal, Regression, get_metric, task_from_dict
from equipoise.kinds.calibration import fit_temperature, scale_classes, scale_labels, scale_ranks
from equipoise.kinds.classification.deciding import choose_weights

_CLASSES = ("bad", "fair", "good")
_PLACE = ("s", "text", None, "label")


def classification(**fields):
    return Classification("polarity", *_PLACE, "macro_f1", classes=_CLASSES, **fields)


def ordinal(**fields):
    return Ordinal("stars", *_PLACE, "qwk", classes=_CLASSES, **fields)


def multilabel(**fields):
    return Multilabel("words", *_PLACE, "macro_f1", classes=_CLASSES, thresholds=(0.5, 0.3, 0.7), **fields)


def regression(**fields):
    return Regression("score", *_PLACE, "pearson", range=(-1, 1), **fields)


def overconfident(n=400, seed=0, factor=3.0):
    """Return probabilities whose logits are `factor` times too large, and labels."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 3))
    gold = np.array([generator.choice(3, p=row) for row in softmax(logits, axis=1)])
    return softmax(factor * logits, axis=1), gold


def test_the_temperature_is_that_of_scikit_learn():
    probabilities, gold = overconfident()
    found = classification().fit_calibration(probabilities, gold)
    assert found.temperature == pytest.approx(1 / _TemperatureScaling().fit(probabilities, gold).beta_, rel=1e-4)
    assert found.temperature == pytest.approx(3, rel=0.15)
    assert found.rows == 400


@pytest.mark.parametrize("task", [classification(), ordinal()])
def test_calibrated_classes_have_a_lower_log_loss_on_other_rows(task):
    calibrated = task.calibrated(*overconfident())
    probabilities, gold = overconfident(seed=1)
    after = calibrated.calibrate(probabilities)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert log_loss(gold, after) < log_loss(gold, probabilities) - 0.05
    for name in ("ece", "brier"):
        assert get_metric(name)(gold, after) < get_metric(name)(gold, probabilities)
    np.testing.assert_array_equal(task.decide(probabilities).argmax(axis=1), calibrated.decide(after).argmax(axis=1))


def test_calibrated_labels_decide_the_same_without_calibration():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(300, 3))
    gold = (generator.random((300, 3)) < 1 / (1 + np.exp(-logits))).astype(np.int8)
    raw = 1 / (1 + np.exp(-3 * logits))
    task = multilabel().calibrated(raw, gold)
    assert task.calibration.temperature == pytest.approx(3, rel=0.2)
    task = task.tune(task.calibrate(raw), gold)
    back = task.without_calibration()
    assert back.calibration is None
    np.testing.assert_array_equal(task.decide(task.calibrate(raw)), back.decide(raw))


def test_the_line_is_least_squares_and_stays_in_the_range():
    generator = np.random.default_rng(0)
    scores = generator.uniform(-0.5, 0.5, 200)
    gold = np.clip(1.8 * scores + 0.2 + generator.normal(0, 0.05, 200), -1, 1)
    task = regression().calibrated(scores, gold)
    line = LinearRegression().fit(scores[:, None], gold)
    assert (task.calibration.slope, task.calibration.intercept) == pytest.approx((line.coef_[0], line.intercept_))
    np.testing.assert_allclose(task.calibrate(scores), np.clip(line.predict(scores[:, None]), -1, 1))
    assert task.calibrate(np.array([0.9])).tolist() == [1.0]
    # A line that falls would turn the scores around.
    assert regression().calibrated(scores, -gold).calibration is None
    assert regression().calibrated(np.zeros(200), gold).calibration is None


@pytest.mark.parametrize("task", [classification(), ordinal(), multilabel(), regression()])
def test_too_few_rows_calibrate_nothing(task):
    gold = {1: np.linspace(-1, 1, 29), 2: np.arange(29) % 3}[task.prediction_dims]
    gold = np.eye(3, dtype=np.int8)[gold] if task.label_shape else gold
    predictions = gold / 2 if task.prediction_dims == 1 else np.full((29, 3), [0.5, 0.3, 0.2])
    assert task.calibrated(predictions, gold).calibration is None
    assert task.calibrate(predictions) is predictions


def test_few_rows_that_are_all_right_do_not_make_a_model_certain():
    sure = np.random.default_rng(0).uniform(0.6, 0.95, 32)
    found = fit_temperature(scale_classes, np.stack([sure, 1 - sure], axis=1), lambda scaled: scaled[:, 0])
    scaled = scale_classes(np.stack([sure, 1 - sure], axis=1), found.temperature)[:, 0]
    # So many rows leave room for an error rate of 1 in 34; the log loss alone would be lowest at the bound, 0.1.
    assert 1 / 34 < -np.log(scaled).mean() < 3 / 34
    assert 0.2 < found.temperature < 1


def test_a_temperature_that_gains_nothing_is_not_kept():
    # No temperature changes these.
    assert fit_temperature(scale_labels, np.full((40, 1), 0.5), lambda scaled: scaled) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.integers(2, 7))
def test_scaling_keeps_what_is_decided(seed, temperature, n_classes):
    probabilities = np.random.default_rng(seed).dirichlet(np.full(n_classes, 0.3), size=50)
    task = Ordinal("stars", *_PLACE, "qwk", classes=tuple("abcdefg"[:n_classes]))
    scaled = scale_ranks(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    assert (scaled >= 0).all()
    np.testing.assert_array_equal(task.decide(probabilities), task.decide(scaled))
    by_class = scale_classes(probabilities, temperature)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), by_class.argmax(axis=1))
    np.testing.assert_allclose(scale_classes(by_class, 1 / temperature), probabilities, atol=1e-3)


@pytest.mark.parametrize("make", [classification, ordinal, multilabel, regression])
def test_calibration_travels_with_the_task(make):
    plain = make()
    assert "calibration" not in plain.to_dict()
    assert task_from_dict(plain.to_dict()) == plain
    generator = np.random.default_rng(0)
    gold = np.sort(generator.uniform(-1, 1, 40)) if plain.prediction_dims == 1 else np.arange(40) % 3
    predictions = gold / 2 if plain.prediction_dims == 1 else np.eye(3)[gold] * 0.3 + 0.2
    task = plain.calibrated(predictions, np.eye(3, dtype=np.int8)[gold] if plain.label_shape else gold)
    assert task.calibration is not None
    assert task_from_dict(task.to_dict()) == task
    assert task.find_problem() == ""
    damaged = task_from_dict({**task.to_dict(), "calibration": {"rows": 40, "temperature": -1.0}})
    assert damaged.find_problem().startswith("calibration: found no finite numbers")
    assert task.as_prompted().calibration is None


def test_brier_is_that_of_scikit_learn():
    probabilities, gold = overconfident()
    expected = brier_score_loss(gold, probabilities, scale_by_half=False, labels=[0, 1, 2])
    assert get_metric("brier")(gold, probabilities) == pytest.approx(expected)


def rare(n, seed):
    """Return probabilities of a class that is rarely the most probable one, and labels."""
    generator = np.random.default_rng(seed)
    gold = generator.choice(3, p=[0.8, 0.1, 0.1], size=n)
    logits = np.eye(3)[gold] * 1.5 + generator.normal(size=(n, 3)) + [2.0, 0, 0]
    return softmax(logits, axis=1), gold


def macro_f1(probabilities, gold, weights=(1, 1, 1)):
    return f1_score(gold, (probabilities * weights).argmax(axis=1), average="macro")


def test_class_weights_raise_macro_f1():
    probabilities, gold = rare(300, 0)
    weights = choose_weights(probabilities, gold)
    grid = np.exp(np.linspace(-2, 2, 21))
    best = max(macro_f1(probabilities, gold, (1, *pair)) for pair in itertools.product(grid, repeat=2))
    assert macro_f1(probabilities, gold, weights) >= best - 0.02
    others = rare(3000, 1)
    assert macro_f1(*others, weights) > macro_f1(*others) + 0.05


def test_a_task_decides_by_its_class_weights():
    probabilities, gold = rare(300, 0)
    assert classification().tune(probabilities, gold) == classification()
    task = classification(decision="macro_f1").calibrated(probabilities, gold)
    calibrated = task.calibrate(probabilities)
    task = task.tune(calibrated, gold)
    decided = task.decide(calibrated)
    assert get_metric("macro_f1")(gold, decided) == pytest.approx(macro_f1(calibrated, gold, task.class_weights))
    chosen = [task.classes.index(task.answer(row)["label"]) for row in calibrated]
    assert chosen == decided.argmax(axis=1).tolist()
    back = task.without_calibration()
    np.testing.assert_array_equal(back.decide(probabilities).argmax(axis=1), decided.argmax(axis=1))
    assert task_from_dict(task.to_dict()) == task
    assert task.as_prompted().class_weights == ()
    assert task.replace(class_weights=(1.0, -1.0, 1.0)).find_problem().startswith("class_weights")
    assert classification(decision="macro_f1").tune(probabilities[:29], gold[:29]).class_weights == ()
