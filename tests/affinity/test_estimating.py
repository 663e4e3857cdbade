"""The estimate on made-up gradients, where it is known what helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.affinity import Pair, RowLosses, TaskEvidence, estimate_gains

WIDTH = 24


def make_rows(seed, count, truth, noise=0.5):
    """Squared errors of a linear model at zero whose right weights are `truth`; None: labels are random."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(count, WIDTH))
    errors = draw.normal(size=count) if truth is None else inputs @ truth + noise * draw.normal(size=count)
    return RowLosses(errors**2, 2 * errors[:, None] * inputs)


def make_evidence(seed, helpers, rows=40):
    truth = np.random.default_rng((seed, 1)).normal(size=WIDTH) / WIDTH**0.5
    own = TaskEvidence(make_rows((seed, 2), rows, truth), make_rows((seed, 3), 300, truth))
    known = {"twin": truth, "opposite": -truth, "noise": None}
    others = {
        name: TaskEvidence(make_rows((seed, 4 + number), 400, known[name]), None) for number, name in enumerate(helpers)
    }
    return {"own": own, **others}


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_the_same_task_on_other_rows_helps_more_than_noise_and_its_opposite_hurts(seed):
    evidence = make_evidence(seed, ["twin", "noise", "opposite"])
    pairs = [Pair("own", name) for name in ("twin", "noise", "opposite")]
    twin, noise, opposite = (gain.value for gain in estimate_gains(evidence, pairs, 0, resamples=2).values())
    assert twin > 0
    assert twin > noise
    assert opposite < 0


def test_the_interval_of_a_large_gain_lies_above_zero_and_that_of_noise_does_not():
    evidence = make_evidence(0, ["twin", "noise"], rows=30)
    twin, noise = Pair("own", "twin"), Pair("own", "noise")
    gains = estimate_gains(evidence, [twin, noise], 0)
    assert 0 < gains[twin].low <= gains[twin].value <= gains[twin].high < 100
    assert gains[noise].low < 0


def test_it_depends_on_the_seed_alone_and_its_value_not_even_on_that():
    evidence = make_evidence(1, ["twin"])
    pair = Pair("own", "twin")
    first, again, other = (estimate_gains(evidence, [pair], seed)[pair] for seed in (0, 0, 1))
    assert first == again
    assert first.value == other.value
    assert first.low != other.low


def test_a_pair_is_estimated_as_if_it_were_alone():
    evidence = make_evidence(2, ["twin", "noise"])
    pairs = [Pair("own", "twin"), Pair("own", "noise")]
    together = estimate_gains(evidence, pairs, 0)
    for pair in pairs:
        assert estimate_gains(evidence, [pair], 0)[pair].value == pytest.approx(together[pair].value)


def test_rows_without_a_loss_are_no_trouble():
    evidence = make_evidence(3, ["twin"])
    train = evidence["own"].train
    train.losses[:10], train.gradients[:10] = 0.0, 0.0
    gain = estimate_gains(evidence, [Pair("own", "twin")], 0)[Pair("own", "twin")]
    assert np.isfinite(gain).all()
