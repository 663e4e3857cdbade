"""PVI by hand, and that no example is scored by what has seen its label."""

import numpy as np
import pytest

from equipoise.curriculum import measure_pvi
from equipoise.kinds import Classification, Multilabel, Ordinal, Regression, make_analysis

COMMON = ("s", "text", None, "label")
POLARITY = Classification("c", *COMMON, "macro_f1", ("a", "b"))
TEXTS = [str(number) for number in range(40)]


def test_features_that_tell_everything_give_nearly_the_bits_of_the_label():
    labels = np.array([0, 1] * 20)
    features = np.stack([labels, labels], axis=1) * 1.0
    found = measure_pvi(POLARITY, features, labels, TEXTS)
    assert (found.values > 0.75).all()
    # The null model's share of a label is near one half.
    assert (found.values < 1.1).all()


def test_features_that_tell_nothing_give_no_bits():
    labels = np.random.default_rng(0).integers(2, size=400)
    features = np.random.default_rng(1).normal(size=(400, 3))
    found = measure_pvi(POLARITY, features, labels, [str(number) for number in range(400)])
    assert abs(found.values.mean()) < 0.02
    assert found.penalty >= 100


def test_a_wrong_label_is_below_zero():
    labels = np.array([0, 1] * 20)
    features = labels[:, None] * 1.0
    labels = np.where(np.arange(40) == 7, 0, labels)
    found = measure_pvi(POLARITY, features, labels, TEXTS).values
    assert found.argmin() == 7
    assert found[7] < -2
    assert (np.delete(found, 7) > 0).all()


def test_no_example_is_scored_by_a_model_that_saw_its_label():
    # Every row has a feature of its own: whoever has seen it knows its label.
    labels = np.random.default_rng(0).integers(2, size=30)
    found = measure_pvi(POLARITY, np.eye(30), labels, TEXTS[:30]).values
    assert found.mean() < 0.05
    # Two rows a text, with the same label: seen with one of them, the other would be known.
    pairs = np.repeat(labels, 2)
    found = measure_pvi(POLARITY, np.repeat(np.eye(30), 2, axis=0), pairs, list(np.repeat(TEXTS[:30], 2))).values
    assert found.mean() < 0.05
    apart = measure_pvi(POLARITY, np.repeat(np.eye(30), 2, axis=0), pairs, [str(n) for n in range(60)]).values
    assert apart.mean() > 0.2


def test_a_class_of_one_example_has_finite_bits():
    task = Classification("c", *COMMON, "macro_f1", ("a", "b", "c"))
    labels = np.array([0, 1] * 19 + [0, 2])
    found = measure_pvi(task, np.eye(40), labels, TEXTS).values
    assert np.isfinite(found).all()


def test_two_classes_one_of_them_a_single_example():
    labels = np.array([0] * 39 + [1])
    assert np.isfinite(measure_pvi(POLARITY, np.eye(40), labels, TEXTS).values).all()


def test_scores_gain_what_the_error_is_smaller():
    scores = np.linspace(-1, 1, 200)
    noise = np.random.default_rng(0).normal(scale=0.1, size=200)
    task = Regression("r", *COMMON, "pearson", std=float(scores.std()))
    found = measure_pvi(task, (scores + noise)[:, None], scores, [str(number) for number in range(200)]).values
    # In the mean the bits are log₂ of the ratio of the deviations: 0.577 against 0.1.
    assert found.mean() == pytest.approx(np.log2(scores.std() / 0.1), abs=0.15)


def test_bits_of_labels_add_up():
    one = np.array([0, 1] * 20)
    features = one[:, None] * 1.0
    single = Multilabel("m", *COMMON, "macro_f1", ("a",))
    double = Multilabel("m", *COMMON, "macro_f1", ("a", "b"))
    alone = measure_pvi(single, features, one[:, None], TEXTS).values
    both = measure_pvi(double, features, np.stack([one, 1 - one], axis=1), TEXTS).values
    np.testing.assert_allclose(both, 2 * alone, rtol=1e-4)


def test_one_text_has_none():
    assert measure_pvi(POLARITY, np.eye(4), np.array([0, 1, 0, 1]), ["same"] * 4) is None


@pytest.mark.parametrize("kind", ["classification", "ordinal", "multilabel", "regression"])
def test_the_losses_of_probes_are_bits_or_squares(kind):
    """They differ from PVI by what the null model loses, which knows shares alone, or are the errors themselves."""
    draw = np.random.default_rng(0)
    features = draw.normal(size=(40, 3))
    classes, labels = ("a", "b", "c"), draw.integers(3, size=40)
    task = {
        "classification": Classification("c", *COMMON, "macro_f1", classes),
        "ordinal": Ordinal("o", *COMMON, "qwk", classes),
        "multilabel": Multilabel("m", *COMMON, "micro_f1", classes),
        "regression": Regression("r", *COMMON, "pearson", mean=0.0, std=2.0),
    }[kind]
    if kind == "multilabel":
        labels = draw.integers(2, size=(40, 3))
    if kind == "regression":
        labels = features[:, 0] + draw.normal(size=40)
    found = measure_pvi(task, features, labels, TEXTS)
    losses = make_analysis(task).probe_losses(labels, found.folds)
    assert losses.shape == (40,)
    predicted = np.empty((40, *found.folds[0].predicted.shape[1:]))
    for _, held_out, values in found.folds:
        predicted[held_out] = values
    if kind == "regression":
        np.testing.assert_allclose(losses, ((labels - predicted) / 2) ** 2)
    elif kind == "multilabel":
        chance = np.where(labels == 1, predicted, 1 - predicted)
        np.testing.assert_allclose(losses, -np.log2(chance).sum(axis=1), rtol=0.15)
    else:
        np.testing.assert_allclose(losses, -np.log2(predicted[np.arange(40), labels]), rtol=0.15)
