import pytest
import torch
from torchjd.scalarization import UW

from equipoise.balancing import UncertaintyWeighting


def _losses(step):
    return {"a": torch.tensor([1.0 + step, 3.0]), "b": torch.tensor([0.1 * step + 0.2])}


def test_weights_follow_torchjd_learned_jointly_by_adam():
    balance, reference = UncertaintyWeighting(["a", "b"], lr=0.1), UW(2)
    adam = torch.optim.Adam(reference.parameters(), lr=0.1)
    for step in range(30):
        losses = _losses(step)
        balance(losses)
        values = torch.stack([loss.mean() for loss in losses.values()]).requires_grad_()
        adam.zero_grad()
        reference(values).backward()
        expected = 2 * values.grad / values.grad.sum()
        assert list(balance.weights.values()) == pytest.approx(expected.tolist(), rel=1e-5)
        adam.step()
        balance.after_step()
    assert balance.weights["b"] > balance.weights["a"]


def test_weights_tend_to_the_inverse_losses():
    balance = UncertaintyWeighting(["a", "b"])
    for _ in range(300):
        balance({"a": torch.tensor([9.0]), "b": torch.tensor([1.0])})
        balance.after_step()
    assert balance.weights == pytest.approx({"a": 0.2, "b": 1.8}, abs=0.02)


def test_an_absent_task_keeps_its_uncertainty():
    balance = UncertaintyWeighting(["a", "b"], lr=0.1)
    balance(_losses(0))
    balance.after_step()
    learned = balance.state_dict()["state.learned"][1]
    assert learned != 0
    for _ in range(5):
        balance({"a": torch.tensor([2.0])})
        balance.after_step()
    assert balance.state_dict()["state.learned"][1] == learned


def test_micro_batches_are_learned_from_as_one_step():
    joined, split = UncertaintyWeighting(["a", "b"]), UncertaintyWeighting(["a", "b"])
    for step in range(5):
        a, b = torch.arange(4.0) + step, torch.ones(2)
        counts = {"a": 4, "b": 2}
        joined({"a": a, "b": b}, counts=counts)
        split({"a": a[:1], "b": b}, counts=counts)
        split({"a": a[1:]}, counts=counts)
        joined.after_step()
        with torch.no_grad():
            split.after_step()
    one, other = (balance.state_dict()["state.learned"] for balance in (split, joined))
    assert one.tolist() == pytest.approx(other.tolist(), rel=1e-12)
    assert other[0] != 0


def test_a_bad_learning_rate_is_answered():
    with pytest.raises(ValueError, match=r"`lr` must be a positive number\. Found 0"):
        UncertaintyWeighting(["a"], lr=0)
