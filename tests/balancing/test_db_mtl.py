import pytest
import torch

from equipoise.balancing import DualBalancing, DynamicAdaptiveLoss
from explicit_map import TASKS, batch, explicit_gradients


@pytest.mark.parametrize(("beta", "decay"), [(0.9, 0.0), (0.6, 0.5)])
def test_weights_follow_the_formula_in_float64(beta, decay):
    balance = DualBalancing(TASKS, beta=beta, decay=decay)
    average = 0.0
    for step in range(1, 9):
        h, losses = batch(step)
        balance(losses(h), features=h)
        balance.after_step()

        gradients, values = explicit_gradients(h, losses, torch.log)
        forget = beta / step**decay
        average = forget * average + (1 - forget) * gradients
        norms = average.norm(dim=1)
        weights = norms.max() / norms / values
        expected = 3 * weights / weights.sum()
        assert list(balance.weights.values()) == pytest.approx(expected.tolist(), rel=1e-9), step


def test_without_memory_it_is_the_dynamic_adaptive_loss():
    memoryless, dao = DualBalancing(TASKS, beta=0), DynamicAdaptiveLoss(TASKS, floor=0)
    for step in range(5):
        h, losses = batch(step)
        for balance in (memoryless, dao):
            balance(losses(h), features=h)
        assert memoryless.weights == pytest.approx(dao.weights, rel=1e-9)


def test_a_task_that_comes_later_counts_like_the_others():
    balance = DualBalancing(["a", "b"])
    h = torch.eye(2, requires_grad=True)
    for _ in range(5):
        balance({"a": h[:, 0]}, features=h)
    balance({"a": h[:, 0], "b": 3 * h[:, 1]}, features=h)
    assert balance.weights == pytest.approx({"a": 1.5, "b": 0.5})


def test_an_absent_task_keeps_its_average():
    balance = DualBalancing(["a", "b"], beta=0.5)
    h = torch.eye(2, requires_grad=True)
    balance({"a": h[:, 0], "b": h[:, 1]}, features=h)
    before = balance.state_dict()["state.average"]
    balance({"a": h[:, 0] + 3 * h[:, 1]}, features=h)
    after = balance.state_dict()["state.average"]
    assert torch.equal(after[1], before[1])
    assert not torch.equal(after[0], before[0])


def test_losses_of_zero_and_below_do_no_harm():
    balance = DualBalancing(["a", "b"])
    for _ in range(3):
        h = torch.eye(2, requires_grad=True)
        balance({"a": h[:, 0] - h[:, 1], "b": -h[:, 1]}, features=h)
        assert sum(balance.weights.values()) == pytest.approx(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"beta": 1}, r"in \[0, 1\)"), ({"decay": -0.1}, "0 or more"), ({"where": "features"}, "map or parameters")],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        DualBalancing(TASKS, **options)
