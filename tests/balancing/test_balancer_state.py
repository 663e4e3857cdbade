import pytest
import torch
from safetensors.torch import load_file, save_file

from equipoise.balancing import DynamicAdaptiveLoss, UncertaintyWeighting

KINDS = {"score": "regression", "polarity": "classification"}


def _micro_batch(balance, step, counts):
    random = torch.Generator().manual_seed(step)
    h = torch.randn(6, 3, generator=random).requires_grad_()
    targets = {"score": torch.randn(6, generator=random), "polarity": torch.randint(3, (6,), generator=random)}
    losses = {"score": (h.sum(1) - targets["score"]).square(), "polarity": 5 * h[:, 0].exp()}
    return balance(losses, features=h, targets=targets, counts=counts).item(), balance.weights


def _run(balance, steps, counts):
    results = []
    for step in steps:
        results += [_micro_batch(balance, 2 * step, counts), _micro_batch(balance, 2 * step + 1, counts)]
        balance.after_step()
    return results


@pytest.mark.parametrize("make", [DynamicAdaptiveLoss, UncertaintyWeighting])
@pytest.mark.parametrize("counts", [None, {"score": 12, "polarity": 12}])
def test_saved_amid_an_accumulated_step_it_goes_on_bit_for_bit(make, counts, tmp_path):
    balance, resumed = make(KINDS), make(KINDS)
    _run(balance, range(3), counts)
    _micro_batch(balance, 100, counts)
    save_file(balance.state_dict(), tmp_path / "balancer.safetensors")
    resumed.load_state_dict(load_file(tmp_path / "balancer.safetensors"))
    assert resumed.state_dict().keys() == balance.state_dict().keys()

    outcomes = []
    for one in (balance, resumed):
        last = _micro_batch(one, 101, counts)
        one.after_step()
        outcomes.append([last, *_run(one, range(3, 6), counts)])
    assert outcomes[0] == outcomes[1]


def test_the_state_of_a_balancer_inside_a_module_round_trips():
    balance, resumed = DynamicAdaptiveLoss(KINDS), DynamicAdaptiveLoss(KINDS)
    _run(balance, range(2), {"score": 12, "polarity": 12})
    state = torch.nn.ModuleDict({"balance": balance}).state_dict()
    torch.nn.ModuleDict({"balance": resumed}).load_state_dict(state)
    assert _run(balance, range(2, 4), None) == _run(resumed, range(2, 4), None)


def test_a_loaded_state_is_a_copy():
    balance, resumed = DynamicAdaptiveLoss(KINDS), DynamicAdaptiveLoss(KINDS)
    counts = {"score": 12, "polarity": 12}
    _micro_batch(balance, 0, counts)
    resumed.load_state_dict(balance.state_dict())
    before = balance.state_dict()["state.gradients"].clone()
    _micro_batch(resumed, 1, counts)
    assert torch.equal(balance.state_dict()["state.gradients"], before)


def test_a_state_of_other_tasks_is_refused():
    with pytest.raises(ValueError, match=r"state is of 2 tasks, the balancer's are \['a'\]"):
        DynamicAdaptiveLoss(["a"]).load_state_dict(DynamicAdaptiveLoss(KINDS).state_dict())
