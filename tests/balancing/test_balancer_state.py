from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from equipoise.balancing import BALANCERS, FAMO, DynamicAdaptiveLoss, UncertaintyWeighting, make_balancer

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


@pytest.mark.parametrize("make", [partial(DynamicAdaptiveLoss, example_weights=True), UncertaintyWeighting])
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
    balance, resumed = (DynamicAdaptiveLoss(KINDS, example_weights=True) for _ in range(2))
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


@pytest.mark.parametrize("tasks", [["score"], ["polarity", "score"]])
def test_a_state_of_other_tasks_or_another_order_is_refused(tasks):
    with pytest.raises(ValueError, match=r"state is of the tasks \['score', 'polarity'\], the balancer's are"):
        DynamicAdaptiveLoss(tasks).load_state_dict(DynamicAdaptiveLoss(KINDS).state_dict())


def test_a_state_of_another_rule_is_refused():
    with pytest.raises(ValueError, match=r"not one of FAMO: it has no 'kept\.logits'"):
        FAMO(KINDS).load_state_dict(DynamicAdaptiveLoss(KINDS).state_dict())


def test_a_checkpoint_from_before_there_was_a_balancer_is_torchs_to_answer():
    model = torch.nn.ModuleDict({"backbone": torch.nn.Linear(1, 1)})
    state = model.state_dict()
    model["balance"] = DynamicAdaptiveLoss(KINDS)
    assert model.load_state_dict(state, strict=False).missing_keys == ["balance.state.tasks"]
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"balance.state.tasks\""):
        model.load_state_dict(state)


@pytest.mark.parametrize("name", BALANCERS)
def test_a_balancer_holds_nothing_that_moves_with_a_module_or_that_its_optimizer_would_step(name):
    """So `.to(…)` changes nothing, and `DistributedDataParallel` waits for no gradient of a balancer in a module."""
    balance = make_balancer(name, KINDS, {"weights": dict.fromkeys(KINDS, 1.0)} if name == "static" else {})
    for _ in range(2):
        h = torch.eye(2, requires_grad=True)
        losses = {"score": 2 + h[:, 0], "polarity": 3 - h[:, 1]}
        balance(losses, features=h)
        balance.after_step(lambda losses=losses: losses)
    assert not [*balance.parameters(), *balance.buffers()]
    before = balance.state_dict()
    after = balance.to(torch.float16).state_dict()
    assert all(torch.equal(before[key].nan_to_num(-1), after[key].nan_to_num(-1)) for key in before)
    assert all(before[key].dtype == after[key].dtype for key in before)
