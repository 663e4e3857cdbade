from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equipoise.balancing.clipping import bounded

raws = st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=8)


def _bounded(raw, low=0.01, high=100.0):
    return bounded(torch.tensor(raw, dtype=torch.float64), low, high).tolist()


@pytest.mark.parametrize(
    ("raw", "low", "high", "expected"),
    [
        ([1, 3], 0.0, 100.0, [0.5, 1.5]),
        ([1, 999], 0.01, 100.0, [0.01, 1.99]),
        ([1, 1, 1e6], 0.1, 100.0, [0.1, 0.1, 2.8]),
        ([1, 2, 1e6], 0.01, 1.5, [0.5, 1.0, 1.5]),
        ([0, 1], 0.01, 1.5, [0.5, 1.5]),
        ([-3, 1], 0.01, 100.0, [0.01, 1.99]),
        ([0, 0, 0], 0.01, 100.0, [1, 1, 1]),
        ([1e-300, 1e-300], 0.01, 100.0, [1, 1]),
        ([5], 0.01, 100.0, [1]),
        ([1, 3], 1.0, 1.0, [1, 1]),
    ],
)
def test_worked_by_hand(raw, low, high, expected):
    assert _bounded(raw, low, high) == pytest.approx(expected, rel=1e-9)


@given(raws, st.floats(0, 1), st.floats(1, 100))
def test_sums_to_their_number_within_bounds(raw, low, high):
    weights = _bounded(raw, low, high)
    assert sum(weights) == pytest.approx(len(raw), rel=1e-6)
    assert all(low <= weight <= high for weight in weights)


@given(raws)
def test_keeps_the_order(raw):
    weights = _bounded(raw)
    order = sorted(range(len(raw)), key=lambda i: raw[i])
    assert all(weights[i] <= weights[j] + 1e-12 for i, j in pairwise(order))


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=8), st.floats(1e-3, 1e3))
def test_a_common_factor_changes_nothing(raw, factor):
    assert _bounded([factor * value for value in raw]) == pytest.approx(_bounded(raw), rel=1e-9)
