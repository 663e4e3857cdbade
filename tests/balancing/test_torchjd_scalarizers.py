"""The rules that TorchJD computes from the losses, against TorchJD by autograd."""

import pytest
import torch
from torchjd import scalarization

from equipoise.balancing import (
    FAMO,
    DynamicWeightAverage,
    GeometricMean,
    ImpartialLosses,
    RandomWeights,
    SmoothTchebycheff,
    UncertaintyWeighting,
)
from equipoise.balancing.seeding import seeded_by_step
from equipoise.errors import TrainingError

TASKS = ["a", "b", "c"]


def _losses(step):
    random = torch.Generator().manual_seed(step)
    return torch.rand(3, generator=random, dtype=torch.float64) * torch.tensor([1.0, 3.0, 0.2]) + 0.05


def _entries(values, tasks=TASKS):
    return dict(zip(tasks, values, strict=True))


def _by_autograd(scalarizer, values):
    """Return the scalarizer's derivative with sum 3."""
    values = values.clone().requires_grad_()
    scalarizer(values).backward()
    return (3 * values.grad / values.grad.sum()).tolist()


@pytest.mark.parametrize(
    ("balance", "scalarizer"),
    [
        (GeometricMean(TASKS), scalarization.GeometricMean()),
        (RandomWeights(TASKS, seed=3), scalarization.Random()),
        (SmoothTchebycheff(TASKS, mu=0.3), scalarization.STCH(0.3)),
        (
            SmoothTchebycheff(TASKS, weights={"a": 2.0, "b": 0.5}, reference={"c": 0.1}),
            scalarization.STCH(0.1, torch.tensor([2.0, 0.5, 1.0]) / 3.5, torch.tensor([0.0, 0.0, 0.1])),
        ),
    ],
    ids=["geometric_mean", "random", "stch", "stch with options"],
)
def test_weights_are_torchjds_derivative(balance, scalarizer):
    for step in range(5):
        balance(_entries(_losses(step)))
        with seeded_by_step(3, step + 1):
            expected = _by_autograd(scalarizer, _losses(step))
        assert list(balance.weights.values()) == pytest.approx(expected, rel=1e-6)
        balance.after_step()


def test_dwa_is_torchjds():
    balance, reference = DynamicWeightAverage(TASKS, temperature=0.1), scalarization.DWA(0.1)
    for step in range(12):
        balance(_entries(_losses(step)))
        assert list(balance.weights.values()) == pytest.approx(_by_autograd(reference, _losses(step)), rel=1e-9)
        balance.after_step()
        if step % 3 == 2:
            balance.on_epoch_end()
            reference.step()
    assert max(balance.weights.values()) > 1.1


def test_famo_is_torchjds():
    bounds = torch.tensor([0.01, 0.0, 0.04], dtype=torch.float64)
    balance = FAMO(TASKS, lr=0.1, weight_decay=0.01, min_losses={"a": 0.01, "c": 0.04})
    reference = scalarization.FAMO(3, bounds, lr=0.1, weight_decay=0.01).double()
    for step in range(8):
        balance(_entries(_losses(step)))
        assert list(balance.weights.values()) == pytest.approx(_by_autograd(reference, _losses(step)), rel=1e-9)
        balance.after_step(lambda step=step: _entries(_losses(step + 100)))
        reference.update(_losses(step + 100))
    assert balance.state_dict()["state.kept.logits"].abs().max() > 0.1


def test_imtl_l_follows_torchjd_learned_jointly_by_adam():
    balance, reference = ImpartialLosses(TASKS, lr=0.1), scalarization.IMTLL(3)
    adam = torch.optim.Adam(reference.parameters(), lr=0.1)
    for step in range(20):
        balance(_entries(_losses(step)))
        adam.zero_grad()
        expected = _by_autograd(reference, _losses(step).float())
        assert list(balance.weights.values()) == pytest.approx(expected, rel=1e-5)
        adam.step()
        balance.after_step()


def test_imtl_l_is_uncertainty_weighting():
    balances = [ImpartialLosses(TASKS, lr=0.1), UncertaintyWeighting(TASKS, lr=0.1)]
    for step in range(20):
        for balance in balances:
            balance(_entries(_losses(step)))
            balance.after_step()
        assert balances[0].weights == pytest.approx(balances[1].weights, rel=1e-4)
    assert max(balances[0].weights.values()) > 1.1


def test_famo_starts_from_the_geometric_mean():
    first, second = FAMO(TASKS), GeometricMean(TASKS)
    for balance in (first, second):
        balance(_entries(_losses(0)))
    assert first.weights == pytest.approx(second.weights, rel=1e-6)


@pytest.mark.parametrize("mu", [1e-6, 1e6])
def test_stch_lies_between_the_worst_task_and_static_weights(mu):
    balance = SmoothTchebycheff(TASKS, mu=mu, weights={"a": 1.0, "b": 2.0, "c": 3.0}, clip=(0.0, 1e9))
    balance(_entries(torch.tensor([3.0, 1.0, 0.5])))
    expected = [3.0, 0.0, 0.0] if mu < 1 else [0.5, 1.0, 1.5]
    assert list(balance.weights.values()) == pytest.approx(expected, abs=1e-5)


def test_random_weights_depend_on_seed_and_step_alone():
    def history(seed, tasks=TASKS, steps=10):
        balance = RandomWeights(tasks, seed=seed)
        weights = []
        for _ in range(steps):
            balance(_entries(torch.ones(3), tasks))
            weights.append(balance.weights)
        return weights

    first = history(0)
    torch.manual_seed(99)
    assert history(0) == first
    assert all(one == pytest.approx(other) for one, other in zip(history(0, TASKS[::-1]), first, strict=True))
    assert history(1) != first
    assert first[0] != first[1]
    means = torch.tensor([list(weights.values()) for weights in history(0, steps=300)]).mean(0)
    assert means.tolist() == pytest.approx([1.0] * 3, abs=0.1)


def test_dwa_without_two_epochs_of_a_task_counts_it_as_level():
    balance = DynamicWeightAverage(["a", "b", "late"], temperature=1.0)
    for values in ([4.0, 1.0], [1.0, 1.0]):
        balance(_entries(torch.tensor(values), ["a", "b"]))
        balance.after_step()
        balance.on_epoch_end()
    balance(_entries(torch.ones(3), ["a", "b", "late"]))
    assert balance.weights["late"] == balance.weights["b"]
    assert balance.weights["a"] / balance.weights["b"] == pytest.approx(2.718281828**-0.75)


def test_dwa_learns_nothing_from_a_skipped_step():
    balance, reference = DynamicWeightAverage(TASKS), DynamicWeightAverage(TASKS)
    for step in range(6):
        for one in (balance, reference):
            one(_entries(_losses(step)))
            one.after_step()
            one.on_epoch_end()
        balance(_entries(1000 * _losses(step)))
        balance.after_step(skipped=True)
        balance(_entries(_losses(step)))
    assert torch.equal(balance.state_dict()["state.kept.means"], reference.state_dict()["state.kept.means"])


def test_famo_leaves_absent_tasks_alone():
    balance = FAMO(TASKS, lr=0.1)
    for tasks in (TASKS, ["a", "c"]):
        before = balance.state_dict()
        balance(_entries(_losses(0)[: len(tasks)], tasks))
        balance.after_step(lambda tasks=tasks: _entries(_losses(1)[: len(tasks)], tasks))
        after = balance.state_dict()
    for name in ("logits", "exp_avg", "exp_avg_sq"):
        changed = before[f"state.kept.{name}"] != after[f"state.kept.{name}"]
        assert changed.tolist() == [True, False, True], name


def test_famo_compares_with_the_losses_after_the_update():
    balance = FAMO(["falls", "stays"], lr=0.1)
    for _ in range(5):
        balance({"falls": torch.tensor(1.0), "stays": torch.tensor(1.0)})
        balance.after_step(lambda: {"falls": torch.tensor(0.5), "stays": torch.tensor(1.0)})
    # It fell more, and z_t goes by the logits that descend along δ.
    assert balance.weights["falls"] < 1 < balance.weights["stays"]
    with pytest.raises(ValueError, match=r"after_step\(recompute\)"):
        balance.after_step()


def test_famo_answers_a_task_without_a_loss_after_the_update():
    balance = FAMO(["a", "b"])
    balance({"a": torch.tensor(1.0), "b": torch.tensor(1.0)})
    with pytest.raises(ValueError, match=r"`recompute` gives no loss of \['b'\]"):
        balance.after_step(lambda: {"a": torch.tensor(0.5)})


def test_famo_answers_a_loss_below_its_bound():
    balance = FAMO(["a", "b"], min_losses={"b": 0.5})
    with pytest.raises(TrainingError, match=r"loss of task 'b' is 0\.3, below its lower bound 0\.5"):
        balance({"a": torch.tensor(1.0), "b": torch.tensor(0.3)})


@pytest.mark.parametrize("rule", [GeometricMean, FAMO, SmoothTchebycheff, ImpartialLosses, DynamicWeightAverage])
def test_a_loss_of_exactly_zero_does_no_harm(rule):
    balance = rule(["a", "b"])
    for _ in range(4):
        balance({"a": torch.zeros(3), "b": torch.ones(3)})
        balance.after_step(lambda: {"a": torch.zeros(3), "b": torch.ones(3)})
        balance.on_epoch_end()
    assert sum(balance.weights.values()) == pytest.approx(2)
    if rule in (GeometricMean, FAMO):
        # 1 / L is without bound; the clip is what holds.
        assert balance.weights == pytest.approx({"a": 2 - 1e-4, "b": 1e-4})
