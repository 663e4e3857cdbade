import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equipoise.balancing import LabelStats, example_weight_table

classes = st.lists(st.integers(0, 6), min_size=1, max_size=300)
scores = st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=300)
options = st.fixed_dictionaries({"beta": st.floats(0, 0.9999), "temper": st.floats(0, 1), "limit": st.floats(1, 100)})


def _weights(stats, labels, **options):
    return example_weight_table(stats, **options)[stats.index(labels)]


@given(classes, options)
def test_mean_over_the_class_distribution_is_one(labels, options):
    labels = torch.tensor(labels)
    weights = _weights(LabelStats.fit("classification", labels), labels, **options)
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-9)
    assert (weights > 0).all()
    assert (weights <= options["limit"]).all()


@given(scores, options)
def test_mean_over_the_score_distribution_is_one(labels, options):
    labels = torch.tensor(labels, dtype=torch.float64)
    weights = _weights(LabelStats.fit("regression", labels), labels, **options)
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-9)
    assert (weights > 0).all()


def test_effective_number_worked_by_hand():
    # n = (3, 1), β = ½: (1 - β) / (1 - β^n) = (4/7, 1), whose mean over the labels is (3·4/7 + 1) / 4 = 19/28.
    stats = LabelStats.fit("classification", [0, 0, 1, 0])
    table = example_weight_table(stats, beta=0.5)
    assert table[:2].tolist() == pytest.approx([16 / 19, 28 / 19])


def test_beta_goes_from_no_weights_to_inverse_frequency():
    stats = LabelStats.fit("classification", [0] * 6 + [1] * 2)
    assert example_weight_table(stats, beta=0.0)[:2].tolist() == pytest.approx([1, 1])
    assert example_weight_table(stats, beta=1 - 1e-9)[:2].tolist() == pytest.approx([4 / 6, 4 / 2], rel=1e-6)


def test_unseen_class_counts_like_one_seen_once():
    stats = LabelStats.fit("classification", [0] * 9 + [1])
    weights = _weights(stats, torch.tensor([1, 2, 7]))
    assert weights[1] == weights[2] == weights[0]


def test_limit_bounds_a_rare_class():
    stats = LabelStats.fit("classification", [0] * 9999 + [1])
    assert example_weight_table(stats, beta=0.9999)[1].item() == 10.0
    assert example_weight_table(stats, beta=0.9999, limit=3.0)[1].item() == 3.0


def test_rare_scores_weigh_more_and_temper_turns_it_off():
    random = torch.Generator().manual_seed(0)
    labels = torch.randn(5000, generator=random, dtype=torch.float64)
    stats = LabelStats.fit("regression", labels)
    centre, side, tail = _weights(stats, torch.tensor([0.0, 1.5, 3.0], dtype=torch.float64)).tolist()
    assert centre < side < tail
    # The density of N(0, 1) at 1.5 is e^(-1.125) of that at 0; weights go with its inverse square root.
    assert side / centre == pytest.approx(2.718281828 ** (1.125 / 2), rel=0.1)
    assert example_weight_table(stats, temper=0.0).tolist() == pytest.approx([1.0] * 100)


def test_scores_beyond_the_range_belong_to_the_outer_bins():
    stats = LabelStats.fit("regression", [0.0, 0.0, 1.0])
    assert stats.index(torch.tensor([-5.0, 0.0, 0.005, 1.0, 9.0])).tolist() == [0, 0, 0, 99, 99]


def test_one_score_only_has_weight_one():
    labels = torch.full((5,), 3.0)
    assert _weights(LabelStats.fit("regression", labels), labels).tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("classification", [], "no labels"),
        ("classification", [0, -1], "from 0 on"),
        ("classification", [0.5], "integers"),
        ("regression", [0.0, float("nan")], "finite"),
        ("generation", [1], "kind 'generation'"),
    ],
)
def test_bad_labels_are_answered(kind, labels, message):
    with pytest.raises(ValueError, match=message):
        LabelStats.fit(kind, labels)
