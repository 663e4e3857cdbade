from math import tanh

import pytest
import torch

from equipoise.balancing import OnTheFlyModulation


def _step(balance, **losses):
    scalar = balance({task: torch.tensor([loss]) for task, loss in losses.items()})
    balance.after_step()
    return scalar


def test_two_tasks_by_hand():
    balance = OnTheFlyModulation(["a", "b"], alpha=0.5)
    _step(balance, a=4.0, b=1.0)
    assert balance.weights == {"a": 1.0, "b": 1.0}
    _step(balance, a=2.0, b=0.8)
    # Progress 4/2 = 2 and 1/0.8 = 1.25: a is ahead by ρ = 1.6, b is behind.
    factor = 1 - tanh(0.5 * 0.6)
    assert balance.weights == pytest.approx({"a": 2 * factor / (1 + factor), "b": 2 / (1 + factor)})


def test_three_tasks_by_hand():
    balance = OnTheFlyModulation(["a", "b", "c"])
    _step(balance, a=1.0, b=1.0, c=8.0)
    _step(balance, a=0.25, b=0.5, c=8.0)
    # Progress 4, 2, 1; the means of the others 1.5, 2.5, 3.
    factor = 1 - tanh(0.8 * (4 / 1.5 - 1))
    total = factor + 2
    assert balance.weights == pytest.approx({"a": 3 * factor / total, "b": 3 / total, "c": 3 / total})


def test_the_start_is_the_mean_of_the_first_ten_losses():
    balance = OnTheFlyModulation(["a", "b"], alpha=1.0)
    for step in range(10):
        _step(balance, a=2.0 if step % 2 else 6.0, b=1.0)
    for _ in range(5):
        _step(balance, a=2.0, b=1.0)
        factor = 1 - tanh(4 / 2 - 1)
        assert balance.weights["a"] == pytest.approx(2 * factor / (1 + factor))


def test_only_present_tasks_are_compared_and_absent_ones_keep_their_start():
    balance = OnTheFlyModulation(["a", "b", "c"])
    _step(balance, a=1.0, b=1.0, c=1.0)
    _step(balance, a=1.0, c=0.001)
    _step(balance, a=0.9)
    assert balance.weights == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert balance.state_dict()["state.first"].flatten().tolist() == pytest.approx([2.9, 3, 1, 1, 1.001, 2])


def test_the_losses_before_the_first_step_are_not_taken_for_the_start():
    """Under gradient accumulation a rule is given placeholders then."""
    balance = OnTheFlyModulation(["a", "b"])
    for _ in range(2):
        balance({"a": torch.tensor([7.0]), "b": torch.tensor([1.0])}, counts={"a": 1, "b": 1})
        balance.after_step()
    assert balance.state_dict()["state.first"].tolist() == [[14, 2], [2, 2]]


def test_a_loss_of_zero_does_no_harm():
    balance = OnTheFlyModulation(["a", "b"])
    _step(balance, a=0.0, b=1.0)
    assert balance.weights == {"a": 1.0, "b": 1.0}
    _step(balance, a=1.0, b=1.0)
    _step(balance, a=0.0, b=1.0)
    assert 0 < balance.weights["a"] < 0.01
    assert balance.weights["b"] > 1.99


def test_a_negative_strength_is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        OnTheFlyModulation(["a"], alpha=-1)
