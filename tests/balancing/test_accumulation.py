from itertools import pairwise

import pytest
import torch

from equipoise.balancing import DynamicAdaptiveLoss, StaticWeights
from equipoise.balancing.feature_gradients import feature_gradients, map_gramian

HEADS = {"a": torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64), "b": torch.tensor([9.0, 3.0, -4.0])}
COUNTS = {"a": 8, "b": 8}


def _features(seed, rows=8):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 3, generator=random, dtype=torch.float64).requires_grad_()


def _losses(features):
    return {task: (features @ head.double()).square() for task, head in HEADS.items()}


def _gramian(features):
    return map_gramian(feature_gradients([loss.mean() for loss in _losses(features).values()], features), features)


def _step(balance, seed, cuts=(0, 3, 8)):
    """Run one accumulated step in parts; return the sum of its scalars."""
    total = 0.0
    for start, stop in pairwise(cuts):
        part = _features(seed)[start:stop].detach().requires_grad_()
        total += balance(_losses(part), features=part, counts=COUNTS).item()
    balance.after_step()
    return total


@pytest.mark.parametrize("cuts", [(0, 8), (0, 3, 8), (0, 1, 2, 7, 8)])
def test_micro_batches_give_the_gramian_of_the_joined_batch(cuts):
    balance = DynamicAdaptiveLoss(list(HEADS))
    _step(balance, seed=0, cuts=cuts)
    torch.testing.assert_close(balance.state_dict()["state.previous_gradients"], _gramian(_features(0)))


def test_the_first_step_is_equal_weights_and_later_ones_follow_the_step_before():
    balance, immediate = DynamicAdaptiveLoss(list(HEADS)), DynamicAdaptiveLoss(list(HEADS))
    total = _step(balance, seed=0)
    assert balance.weights == {"a": 1.0, "b": 1.0}
    assert total == pytest.approx(sum(loss.mean().item() for loss in _losses(_features(0)).values()))

    features = _features(0)
    immediate(_losses(features), features=features)
    _step(balance, seed=1)
    assert balance.weights == pytest.approx(immediate.weights)


def test_every_micro_batch_of_a_step_has_the_same_weights():
    balance = DynamicAdaptiveLoss(list(HEADS))
    _step(balance, seed=0)
    seen = []
    for rows in ({"a": slice(0, 2)}, {"a": slice(2, 8), "b": slice(0, 8)}):
        features = _features(1)
        losses = {task: _losses(features)[task][part] for task, part in rows.items()}
        balance(losses, features=features, counts=COUNTS)
        seen.append(balance.weights)
    assert seen[0] == seen[1]
    assert seen[0]["b"] > 0


def test_a_task_keeps_its_gradient_while_it_is_absent():
    balance = DynamicAdaptiveLoss(list(HEADS))
    _step(balance, seed=0)
    before = balance.state_dict()["state.previous_gradients"]
    features = _features(1)
    balance({"a": _losses(features)["a"]}, features=features, counts={"a": 8, "b": 0})
    assert balance.weights == {"a": 1.0, "b": 0.0}
    balance.after_step()
    after = balance.state_dict()["state.previous_gradients"]
    assert after[0, 0] == pytest.approx(_gramian(_features(1))[0, 0].item())
    assert after[1, 1] == before[1, 1]
    assert after[0, 1] == after[1, 0] == 0


def test_a_task_without_earlier_gradient_has_weight_one():
    balance = DynamicAdaptiveLoss(["a", "b", "new"])
    _step(balance, seed=0)
    features = _features(1)
    losses = _losses(features) | {"new": features.sum(1).square()}
    balance(losses, features=features, counts=COUNTS | {"new": 8})
    assert balance.weights["new"] == 1.0
    assert sum(balance.weights.values()) == pytest.approx(3)
    balance.after_step()
    balance(losses, features=features, counts=COUNTS | {"new": 8})
    assert balance.weights["new"] != 1.0
    assert sum(balance.weights.values()) == pytest.approx(3)


def test_losses_are_divided_by_the_counts():
    balance = StaticWeights(["a", "b"], weights={"a": 1.0, "b": 3.0})
    scalar = balance({"a": torch.tensor([1.0, 3.0])}, counts={"a": 8, "b": 2})
    assert balance.weights == {"a": 0.5, "b": 1.5}
    assert scalar.item() == 0.5 * (1 + 3) / 8
    assert balance.losses == {"a": 2.0}
