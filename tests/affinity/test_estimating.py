"""The estimate on made-up features, where it is known what helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from equipoise.affinity import estimate_gain, readout_errors

WIDTH = 24


def make_task(seed, rows=60, columns=1):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(rows, WIDTH))
    return features, features @ draw.normal(size=(WIDTH, columns)) / WIDTH**0.5 + 0.5 * draw.normal(
        size=(rows, columns)
    )


def gain(labels, untrained, helped, seed=0):
    return estimate_gain(readout_errors(untrained, labels), readout_errors(helped, labels), seed)


def test_errors_are_those_of_rows_left_out():
    features, labels = make_task(0, rows=20, columns=2)
    found = readout_errors(features, labels)
    scaled = (features - features.mean(axis=0)) / (features - features.mean(axis=0)).std()
    by_penalty = []
    for penalty in np.logspace(-3, 3, 13):
        errors = []
        for row in range(20):
            others = np.arange(20) != row
            # The penalty is of the squared error's mean over all rows.
            model = Ridge(alpha=penalty * 20).fit(scaled[others], labels[others])
            errors.append(((model.predict(scaled[row : row + 1]) - labels[row]) ** 2).sum())
        by_penalty.append(errors)
    best = min(by_penalty, key=np.mean)
    np.testing.assert_allclose(found, best, rtol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_features_that_hold_the_labels_more_plainly_help_and_noise_does_not(seed):
    features, labels = make_task(seed)
    draw = np.random.default_rng((seed, 1))
    plain = np.hstack([features / 4, labels + 0.3 * draw.normal(size=labels.shape)])
    noise = draw.normal(size=features.shape)
    assert gain(labels, features, plain).value > 10
    assert gain(labels, features, noise).value < 0


def test_the_interval_of_a_large_gain_lies_above_zero_and_that_of_the_same_features_is_zero():
    features, labels = make_task(0)
    large = gain(labels, features, np.hstack([features / 4, labels]))
    assert 0 < large.low <= large.value <= large.high <= 100
    assert gain(labels, features, features) == (0, 0, 0)


def test_it_depends_on_the_seed_alone_and_its_value_not_even_on_that():
    features, labels = make_task(1)
    helped = features + 0.1 * np.random.default_rng(0).normal(size=features.shape)
    first, again, other = (gain(labels, features, helped, seed) for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.low != other.low


@pytest.mark.parametrize("rows", [10, 400])
def test_more_features_than_rows_and_several_columns_are_no_trouble(rows):
    features, labels = make_task(2, rows=rows, columns=3)
    assert np.isfinite(readout_errors(features, labels)).all()


def test_labels_and_features_that_are_all_the_same_are_no_trouble():
    features, labels = make_task(3)
    assert gain(np.ones_like(labels), features, features[:, :3]).value == 0
    assert gain(labels, np.ones_like(features), np.ones_like(features)).value == pytest.approx(0, abs=1e-6)
