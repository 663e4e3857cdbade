"""Rows that are read without learning from them: how they are put into batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from equipoise.modeling.evaluating import evaluating, longest_first


def cost(batches, lengths, pass_cost):
    return sum(pass_cost + len(batch) * lengths[batch].max() for batch in batches)


def every_cut(rows, most):
    """Yield all ways to cut rows, in order, into batches."""
    if not len(rows):
        yield []
    for size in range(1, min(most, len(rows)) + 1):
        yield from ([rows[:size], *rest] for rest in every_cut(rows[size:], most))


@given(st.lists(st.integers(1, 60), max_size=7), st.integers(1, 5), st.integers(0, 80))
def test_batches_compute_the_least(lengths, batch_size, pass_cost):
    lengths = np.array(lengths, np.int64)
    found = list(longest_first(np.arange(len(lengths)), lengths, batch_size, None, pass_cost))
    order = np.argsort(-lengths, kind="stable")
    np.testing.assert_array_equal(np.concatenate([*found, order[:0]]), order)
    assert all(1 <= len(batch) <= batch_size for batch in found)
    least = min(cost(batches, lengths, pass_cost) for batches in every_cut(order, batch_size))
    assert cost(found, lengths, pass_cost) == least


@pytest.mark.parametrize(("pass_cost", "sizes"), [(None, [4, 2]), (0, [1, 1, 2, 2]), (1000, [2, 4])])
def test_a_pass_that_costs_more_is_fuller(pass_cost, sizes):
    lengths = np.array([5, 90, 5, 80, 10, 10])
    found = list(longest_first(np.arange(6), lengths, 4, None, pass_cost))
    assert [len(batch) for batch in found] == sizes
    assert found[0][0] == 1


def test_a_model_is_in_evaluation_mode_for_a_while_and_then_as_it_was():
    inner = nn.Dropout()
    model = nn.Sequential(inner)
    for mode in (True, False):
        model.train(mode)
        with evaluating(model):
            assert not inner.training
        assert (model.training, inner.training) == (mode, mode)
    inner.train()  # a part of it alone
    with evaluating(model):
        assert not inner.training
