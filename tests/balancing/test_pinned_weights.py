"""Weights and checkpoints of the rules with a state, as TorchJD 0.18.0 computed them before the rules were our own."""

import json
from pathlib import Path

import pytest
import torch

from equipoise.balancing import make_balancer

PINNED = json.loads((Path(__file__).parent / "data" / "pinned_weights.json").read_text(encoding="utf-8"))
TASKS = ["b", "a", "c"]
STEPS, SAVED_AFTER = 10, 5
CASES = {
    "excess_mtl": ("excess_mtl", {"robust_step_size": 0.5}),
    "excess_mtl with warm-up": ("excess_mtl", {"n_warmup_steps": 3}),
    "famo": ("famo", {}),
    "famo with bounds": ("famo", {"lr": 0.2, "weight_decay": 0.01, "min_losses": {"a": 0.01, "c": -1.0}}),
    "gradvac": ("gradvac", {"seed": 3}),
    "modo": ("modo", {"gamma": 0.05}),
    "sdmgrad": ("sdmgrad", {}),
    "dwa": ("dwa", {"temperature": 0.3}),
}


def take_step(balance, step):
    """Take a step without the last task at first, and without one of the others now and then; return the weights."""
    h = torch.sin(torch.arange(12.0) * (1.3 + step)).reshape(6, 2).requires_grad_()
    heads = torch.cos(torch.arange(6.0) * (0.7 + step)).reshape(3, 2) * torch.tensor([[1.0], [3.0], [0.2]])
    losses = {task: (h @ head - 0.5).square() + 0.05 for task, head in zip(TASKS, heads, strict=True)}
    absent = {0: "c", 1: "c", 3: "b", 6: "a", 8: "c"}.get(step)
    losses.pop(absent, None)
    balance(losses, features=h)
    factors = {task: 0.9 - 0.2 * index for index, task in enumerate(TASKS)}
    balance.after_step(lambda: {task: factors[task] * loss.detach() for task, loss in losses.items()})
    if step % 2:
        balance.on_epoch_end()
    return list(balance.weights.values())


def to_json(state):
    return {key: [str(value.dtype).removeprefix("torch."), value.tolist()] for key, value in state.items()}


def from_json(state):
    return {key: torch.tensor(values, dtype=getattr(torch, dtype)) for key, (dtype, values) in state.items()}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_before(case):
    name, options = CASES[case]
    balance = make_balancer(name, TASKS, options)
    for step in range(STEPS):
        assert take_step(balance, step) == pytest.approx(PINNED[case]["weights"][step], rel=1e-6, abs=1e-9), step


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_of_before_continues_with_the_same_weights(case):
    name, options = CASES[case]
    balance = make_balancer(name, TASKS, options)
    saved = from_json(PINNED[case]["state"])
    assert balance.state_dict().keys() == saved.keys()
    balance.load_state_dict(saved)
    for step in range(SAVED_AFTER, STEPS):
        assert take_step(balance, step) == pytest.approx(PINNED[case]["weights"][step], rel=1e-6, abs=1e-9), step


def pin():
    """Return what the file holds, by the code of today."""
    pinned = {}
    for case, (name, options) in CASES.items():
        balance, weights = make_balancer(name, TASKS, options), []
        for step in range(STEPS):
            if step == SAVED_AFTER:
                state = to_json(balance.state_dict())
            weights.append(take_step(balance, step))
        pinned[case] = {"weights": weights, "state": state}
    return pinned
