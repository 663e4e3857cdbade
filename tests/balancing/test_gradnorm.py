import math

import pytest
import torch

from equipoise.balancing import GradNorm
from explicit_map import TASKS, batch, explicit_gradients


@pytest.mark.parametrize(("alpha", "lr"), [(1.5, 0.025), (0.12, 0.2)])
def test_weights_follow_the_formula_in_float64(alpha, lr):
    balance = GradNorm(TASKS, alpha=alpha, lr=lr, clip=(0, math.inf))
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([weights], lr=lr)
    early = []
    for step in range(25):
        h, losses = batch(step)
        balance(losses(h), features=h)
        assert list(balance.weights.values()) == pytest.approx(weights.tolist(), rel=1e-9), step
        balance.after_step()

        gradients, values = explicit_gradients(h, losses, lambda loss: loss)
        early = early if len(early) == 10 else [*early, values]
        ratios = values / torch.stack(early).mean(0)
        norms = weights * gradients.norm(dim=1)
        target = (norms.mean() * (ratios / ratios.mean()) ** alpha).detach()
        adam.zero_grad()
        (norms - target).abs().sum().backward()
        adam.step()
        with torch.no_grad():
            weights.clamp_(min=1e-4)
            weights *= 3 / weights.sum()
    assert max(balance.weights.values()) > 1.3


def _step(balance, **scales):
    h = torch.eye(3, requires_grad=True)
    balance({task: scale * h[:, index] for index, (task, scale) in enumerate(scales.items())}, features=h)


def test_a_task_that_falls_more_slowly_gets_a_larger_gradient():
    balance = GradNorm(TASKS, lr=0.01)
    for step in range(60):
        _step(balance, a=1.0, b=0.9**step, c=0.9**step)
        balance.after_step()
    assert balance.weights["a"] > 1.1
    assert balance.weights["b"] == pytest.approx(balance.weights["c"])


def test_an_absent_task_keeps_its_weight_and_what_adam_remembers_of_it():
    balance = GradNorm(TASKS)
    for _ in range(3):
        _step(balance, a=1.0, b=2.0, c=3.0)
        balance.after_step()
    before = balance.state_dict()
    for _ in range(3):
        _step(balance, a=1.0, b=2.0)
        balance.after_step()
    after = balance.state_dict()
    assert after["state.learned"][2] == before["state.learned"][2]
    assert after["state.learned"][0] > before["state.learned"][0]
    assert after["state.learned"].sum() == pytest.approx(3)
    assert all(torch.equal(after[key], before[key]) for key in before if key.startswith("state.adam.2."))
    assert any(not torch.equal(after[key], before[key]) for key in before if key.startswith("state.adam.0."))


def test_weights_stay_positive_where_gradients_lie_far_apart():
    balance = GradNorm(["a", "b"], lr=0.3)
    for _ in range(50):
        _step(balance, a=1.0, b=1e4)
        balance.after_step()
        assert min(balance.state_dict()["state.learned"]) > 0


def test_a_loss_of_zero_with_a_gradient_does_no_harm():
    balance = GradNorm(["a", "b"])
    for step in range(4):
        h = torch.eye(2, requires_grad=True)
        balance({"a": h[:, 0], "b": (h[:, 0] - h[:, 1]) * (1 if step < 2 else 3)}, features=h)
        assert all(0 < weight < 2 for weight in balance.weights.values())
        balance.after_step()


def test_nothing_is_learned_without_after_step_nor_from_a_skipped_one():
    balance = GradNorm(["a", "b"])
    for _ in range(3):
        _step(balance, a=1.0, b=2.0)
        _step(balance, a=1.0, b=2.0)
        balance.after_step(skipped=True)
        # No task has a gradient here, so that nothing measured in the skipped step may be used.
        h = torch.eye(2, requires_grad=True)
        balance({"a": 0 * h[:, 0] + 1, "b": 0 * h[:, 1] + 1}, features=h)
        balance.after_step()
    assert balance.state_dict()["state.learned"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("options", "message"), [({"alpha": -1}, "0 or more"), ({"lr": 0}, "positive")])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        GradNorm(TASKS, **options)
