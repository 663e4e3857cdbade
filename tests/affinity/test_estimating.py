"""The estimate on made-up features, where it is known what helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.affinity import Pair, TaskEvidence, estimate_gains

WIDTH = 24


def make_task(seed, count, truth, noise=0.5):
    """A task whose labels follow from features by `truth`; None: they are random."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, WIDTH))
    labels = draw.normal(size=count) if truth is None else features @ truth + noise * draw.normal(size=count)
    return TaskEvidence(features, labels[:, None])


def make_evidence(seed, helpers, rows=40):
    draw = np.random.default_rng((seed, 1))
    truth = draw.normal(size=WIDTH) / WIDTH**0.5
    known = {"twin": truth, "opposite": -truth, "noise": None}
    others = {name: make_task((seed, 4 + number), 400, known[name]) for number, name in enumerate(helpers)}
    return {"own": make_task((seed, 2), rows, truth), **others}


def estimate(evidence, *helpers, seed=0):
    pairs = [Pair("own", helper) for helper in helpers]
    return [estimate_gains(evidence, pairs, seed)[pair] for pair in pairs]


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_same_task_on_other_rows_helps_and_noise_does_not(seed):
    twin, noise = estimate(make_evidence(seed, ["twin", "noise"]), "twin", "noise")
    assert twin.value > 10
    assert noise.value < twin.value / 2


def test_a_task_that_says_the_opposite_tells_as_much():
    """A head of its own reads it with the sign reversed, in training, too."""
    twin, opposite = estimate(make_evidence(0, ["twin", "opposite"]), "twin", "opposite")
    assert opposite.value == pytest.approx(twin.value, rel=0.2)


def test_the_interval_of_a_large_gain_lies_above_zero_and_that_of_noise_does_not():
    twin, noise = estimate(make_evidence(0, ["twin", "noise"], rows=30), "twin", "noise")
    assert 0 < twin.low <= twin.value <= twin.high < 100
    assert noise.low < 0


def test_more_features_than_rows_and_several_columns_are_no_trouble():
    evidence = make_evidence(3, ["twin"], rows=12)
    own = evidence["own"]
    evidence["own"] = TaskEvidence(own.features, np.hstack([own.labels, own.labels > 0]))
    (gain,) = estimate(evidence, "twin")
    assert gain.value > 0


def test_it_depends_on_the_seed_alone_and_its_value_not_even_on_that():
    evidence = make_evidence(1, ["twin"])
    (first,), (again,), (other,) = (estimate(evidence, "twin", seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.low != other.low


def test_without_evidence_there_is_no_estimate():
    evidence = make_evidence(2, ["twin"])
    pairs = [Pair("own", "twin"), Pair("own", "absent"), Pair("absent", "twin")]
    assert list(estimate_gains(evidence, pairs, 0)) == pairs[:1]


def test_labels_and_features_that_are_all_the_same_are_no_trouble():
    evidence = make_evidence(2, ["twin"])
    same = TaskEvidence(evidence["own"].features, np.ones((40, 1)))
    blank = TaskEvidence(np.ones((40, WIDTH)), evidence["own"].labels)
    assert estimate({**evidence, "own": same}, "twin")[0].value == 0
    assert estimate({**evidence, "own": blank}, "twin")[0].value == pytest.approx(0, abs=1e-6)
