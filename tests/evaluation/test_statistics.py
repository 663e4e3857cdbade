import numpy as np
import pytest
from scipy import stats

from equipoise.evaluation.statistics import (
    bootstrap_means,
    count_wins,
    delta_m,
    holm,
    mean_interval,
    mean_ranks,
    sign_flip_test,
    with_interval,
)


def test_mean_and_t_interval_over_seeds():
    # sd 1, t of 2 degrees of freedom 4.302653, over the root of 3.
    value, low, high = mean_interval([1.0, 2.0, 3.0])
    assert (value, low, high) == pytest.approx((2.0, 2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert mean_interval([0.4]) == (0.4, None, None)


def test_delta_m_counts_gains_whichever_way_the_metric_runs():
    # +10 % of a score, −25 % of an error: (10 + 25) / 2.
    assert delta_m([0.55, 0.3], [0.5, 0.4], [True, False]) == pytest.approx(17.5)
    assert delta_m([-0.1], [-0.2], [True]) == pytest.approx(50.0)
    assert delta_m([0.1, 0.2], [0.0, 0.2], [True, True]) is None


def test_ranks_and_wins_share_ties():
    values = [[0.9, 0.1], [0.8, 0.3], [0.9, 0.2]]
    assert mean_ranks(values).tolist() == [(1.5 + 3) / 2, (3 + 1) / 2, (1.5 + 2) / 2]
    assert count_wins(values) == [1, 1, 1]


def test_holm_by_hand():
    # Sorted: .005 × 4, .01 × 3, .03 × 2, .04 × 1 raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_sign_flips_agree_with_scipy_and_with_counting():
    draw = np.random.default_rng(3)
    normal = draw.normal(0.25, 1, 60)
    reference = stats.permutation_test(
        (normal,), np.mean, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(0)
    )
    errors = np.repeat([1.0, -1.0, 0.0], [14, 5, 41])
    # Of three equal differences, 2 of the 8 ways to sign them are as far from zero; zeros never are nearer.
    few = np.concatenate([np.full(3, 0.7), np.zeros(57)])
    found = sign_flip_test(np.stack([normal, errors, few, np.zeros(60)], axis=1))
    assert found[0] == pytest.approx(reference.pvalue, abs=0.015)
    assert found[1] == pytest.approx(stats.binomtest(5, 19).pvalue, abs=0.015)
    assert found[2] == pytest.approx(0.25, abs=0.015)
    assert found[3] == 1.0


def test_sign_flips_do_not_depend_on_scale_side_or_the_other_columns():
    differences = np.random.default_rng(0).normal(0.3, 1, (50, 2))
    both = sign_flip_test(differences)
    assert sign_flip_test(-10 * differences[:, :1])[0] == both[0]
    assert sign_flip_test(differences).tolist() == both.tolist()


def test_bootstrap_pairs_the_rows():
    reference = np.random.default_rng(0).random((1, 80))
    means = bootstrap_means([reference, reference + 0.1, 2 * reference], resamples=300)
    assert with_interval(0.1, means[1] - means[0]) == pytest.approx((0.1, 0.1, 0.1))
    assert with_interval(2.0, means[2] / means[0]) == pytest.approx((2.0, 2.0, 2.0))
    # The spread of a mean of 80 items.
    assert means[0].std() == pytest.approx(reference.std() / np.sqrt(80), rel=0.15)


def test_bootstrap_draws_seeds_too():
    means = bootstrap_means([np.array([[0.0] * 40, [1.0] * 40])], resamples=2_000)
    assert sorted(set(means[0].round(12).tolist())) == [0.0, 0.5, 1.0]
    assert np.mean(means[0].round(12) == 0.5) == pytest.approx(0.5, abs=0.05)
