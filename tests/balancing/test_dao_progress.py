"""The dynamic adaptive loss where tasks have learned unequally much."""

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from equipoise.balancing import DynamicAdaptiveLoss
from equipoise.testing import check_balancer

FIVE = ["solved", "hard1", "hard2", "hard3", "hard4"]


def _train(balance, steps=150):
    """Train a small shared layer on the signs of a row's numbers; 30 % of the signs are wrong, but for the first task.

    Every batch is new, so that nothing is learned by heart. Returns the last 20 steps' weights and losses.
    """
    draw = torch.Generator().manual_seed(0)
    body, heads = nn.Linear(8, 16), nn.ModuleDict({task: nn.Linear(16, 1) for task in balance.tasks})
    parameters = [*body.parameters(), *heads.parameters()]
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    optimizer = torch.optim.Adam(parameters, lr=0.05)
    found = []
    for _ in range(steps):
        x = torch.randn(32, 8, generator=draw)
        x = x + 0.5 * x.sign()
        h, losses = torch.tanh(body(x)), {}
        for column, task in enumerate(balance.tasks):
            wrong = (torch.rand(32, generator=draw) < 0.3) & (task != "solved")
            labels = ((x[:, column] > 0) ^ wrong).float()
            losses[task] = binary_cross_entropy_with_logits(heads[task](h)[:, 0], labels, reduction="none")
        optimizer.zero_grad()
        balance(losses, features=h).backward()
        optimizer.step()
        found.append((balance.weights, balance.losses))
    return found[-20:]


def test_a_task_that_is_nearly_solved_does_not_take_the_weight_of_the_others():
    found = _train(DynamicAdaptiveLoss(FIVE))
    losses = {task: sum(one[task] for _, one in found) / len(found) for task in FIVE}
    # A loss starts at 0.7 or so.
    assert losses["solved"] < 0.05 * 0.7
    assert losses["hard1"] > 0.5
    assert max(weights["solved"] for weights, _ in found) < 1
    assert min(weights[task] for weights, _ in found for task in FIVE[1:]) > 0.4


def test_by_the_papers_rule_it_takes_nearly_all():
    found = _train(DynamicAdaptiveLoss(FIVE, progress=0))
    assert min(weights["solved"] for weights, _ in found) > 4


def _steps(balance, scales, steps, *, start=0):
    """Take steps in which each task's loss and gradient norm are its scale; return the weights of each step."""
    found = []
    for step in range(start, start + steps):
        h = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        losses = {task: scale(step) * h[:, 0] for task, scale in scales.items()}
        balance(losses, features=h)
        found.append(balance.weights)
    return found


def _three(factor=1.0):
    """Three tasks with losses of 1; "a" has a quarter of it after twelve steps. Its loss is multiplied by a factor."""
    return {"a": lambda step: factor * (1.0 if step < 12 else 0.25), "b": lambda step: 1.0, "c": lambda step: 1.0}


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_weights_worked_by_hand(alpha):
    """The average of twelve ones and n quarters, without its first zeros, over the first ten losses, which are 1."""
    balance = DynamicAdaptiveLoss(["a", "b", "c"], progress=alpha, floor=0.0)
    for step, weights in enumerate(_steps(balance, _three(), 20)):
        own, total = 1.0, 1 - 0.9 ** (step + 1)
        if step >= 12:
            later = 1 - 0.9 ** (step - 11)
            own = ((total - later) + 0.25 * later) / total
        norm = 1.0 if step < 12 else 0.25
        assert weights["a"] / weights["b"] == pytest.approx(own**alpha / norm, rel=1e-9)
        assert weights["b"] == weights["c"]


def test_without_progress_it_is_the_papers_rule_to_the_last_digit():
    def rule(step):
        norms = torch.tensor([scale(step) for scale in _three().values()], dtype=torch.float64)
        return (3 * (1 / norms) / (1 / norms).sum()).tolist()

    balance = DynamicAdaptiveLoss(["a", "b", "c"], progress=0, floor=0.0)
    for step, weights in enumerate(_steps(balance, _three(), 20)):
        assert list(weights.values()) == pytest.approx(rule(step), rel=1e-12)
    assert not any("progress" in name for name in balance.state_dict())


def test_two_tasks_have_the_papers_rule_unless_asked_otherwise():
    two = {task: scale for task, scale in _three().items() if task != "c"}
    weights = [
        _steps(DynamicAdaptiveLoss(["a", "b"], **options), two, 30)
        for options in ({}, {"progress": 0.0}, {"progress": 1.0})
    ]
    assert weights[0] == weights[1] != weights[2]


def test_in_the_first_ten_steps_nothing_counts_as_learnt():
    falling = _three() | {"a": lambda step: 0.5**step}
    weights = [_steps(DynamicAdaptiveLoss(["a", "b", "c"], progress=alpha), falling, 11) for alpha in (0.0, 1.0)]
    assert weights[0][:9] == weights[1][:9]
    assert weights[0][10]["a"] > weights[1][10]["a"]


def test_the_unit_of_a_loss_does_not_matter():
    for one, other in zip(
        *(_steps(DynamicAdaptiveLoss(["a", "b", "c"], progress=1.0), _three(factor), 20) for factor in (1.0, 100.0)),
        strict=True,
    ):
        assert other["a"] / other["b"] == pytest.approx(one["a"] / one["b"] / 100)


@pytest.mark.parametrize(
    "odd", [lambda step: 0.0, lambda step: -1.0, lambda step: 1.0 - step / 10], ids=["zero", "negative", "falls below"]
)
def test_a_loss_that_may_be_negative_or_starts_at_zero_counts_as_unlearnt(odd):
    """Its gradient is 1 throughout."""
    balances = [DynamicAdaptiveLoss(["a", "b", "c"], progress=alpha) for alpha in (0.0, 1.0)]
    for step in range(25):
        for balance in balances:
            h = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
            losses = {"a": h[:, 0] - 1 + odd(step), "b": h[:, 0], "c": h[:, 1]}
            balance(losses, features=h)
            assert sum(balance.weights.values()) == pytest.approx(3)
    assert balances[1].weights == pytest.approx(balances[0].weights)


def test_a_loss_that_grows_counts_as_unlearnt():
    growing = _three() | {"a": lambda step: 1.0 + step}
    weights = [_steps(DynamicAdaptiveLoss(["a", "b", "c"], progress=alpha), growing, 20)[-1] for alpha in (0.0, 1.0)]
    assert weights[0] == weights[1]


def test_an_absent_task_keeps_its_progress():
    balance, others = DynamicAdaptiveLoss(["a", "b", "c"], progress=1.0), {task: _three()[task] for task in "bc"}
    _steps(balance, _three(), 20)
    before = balance.state_dict()["state.progress.seen"][0].clone()
    assert _steps(balance, others, 3)[-1] == {"a": 0.0, "b": 1.0, "c": 1.0}
    assert torch.equal(balance.state_dict()["state.progress.seen"][0], before)


@pytest.mark.parametrize("after", [5, 15])
def test_a_fresh_balancer_goes_on_bit_for_bit(after):
    falling = _three() | {"a": lambda step: 0.9**step}
    whole, part, resumed = (DynamicAdaptiveLoss(["a", "b", "c"], progress=0.7) for _ in range(3))
    expected = _steps(whole, falling, 30)
    _steps(part, falling, after)
    resumed.load_state_dict(part.state_dict())
    assert _steps(resumed, falling, 30 - after, start=after) == expected[after:]


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_the_contract_holds(alpha):
    check_balancer(lambda tasks: DynamicAdaptiveLoss(tasks, progress=alpha))


@pytest.mark.parametrize("value", [-0.5, "much", float("inf")])
def test_a_bad_exponent_is_answered(value):
    with pytest.raises(ValueError, match="`progress` must be 0 or more"):
        DynamicAdaptiveLoss(["a", "b", "c"], progress=value)
