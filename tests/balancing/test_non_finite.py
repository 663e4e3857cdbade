"""Losses and gradients that are not finite: every balancer names their task, whatever the number format."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.balancing import BALANCERS, NonFiniteLoss, make_balancer

TASKS = {"a": "regression", "b": "classification", "c": "multilabel"}
OPTIONS = {"static": {"weights": {"a": 1.0, "b": 3.0, "c": 1.0}}, "nash_mtl": {"optim_niter": 1}}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
READ_GRADIENTS = sorted(name for name in BALANCERS if make_balancer(name, TASKS, OPTIONS.get(name)).needs_gradients)
BROKEN = [math.inf, -math.inf, math.nan]
LABELS = {"a": torch.tensor([0.1, 0.2, 0.9, 0.3]), "b": torch.tensor([0, 1, 1, 0])}


def call(balancer, values, dtype, *, accumulated=False, labels=None, hooks=(), scalars=False):
    """Balance losses of these values; return the error, or else the scalar and the gradient."""
    features = torch.linspace(-1, 1, 12).view(4, 3).to(dtype).requires_grad_()
    losses = {}
    for number, task in enumerate(TASKS):
        loss = (features + number).square().sum(1) + 1
        loss = loss / loss.detach() * torch.tensor(values.get(task, [1.0] * 4), dtype=dtype)
        losses[task] = loss[0] if scalars else loss
    for task, factor in hooks:
        losses[task].register_hook(lambda gradient, factor=factor: gradient * factor)
    counts = dict.fromkeys(TASKS, 4) if accumulated else None
    try:
        scalar = balancer(losses, features=features, parameters=[features], targets=labels, counts=counts)
    except NonFiniteLoss as error:
        return error, None, None
    scalar.backward()
    return None, scalar, features.grad


def named(error):
    return {task for task in TASKS if f"'{task}'" in str(error)}


@st.composite
def entries(draw):
    """Losses of each task, of which some are not finite."""
    one = st.one_of(st.floats(0, 1e4), st.sampled_from([0.0, *BROKEN]))
    return {task: draw(st.lists(one, min_size=4, max_size=4)) for task in TASKS}


@pytest.mark.parametrize("name", sorted(BALANCERS))
@settings(max_examples=25)
@given(values=entries(), dtype=st.sampled_from(DTYPES), accumulated=st.booleans(), weighted=st.booleans())
def test_the_tasks_whose_losses_are_not_finite_are_named(name, values, dtype, accumulated, weighted):
    options = OPTIONS.get(name, {})
    if weighted and name == "dao":
        options = {"example_weights": True}
    balancer = make_balancer(name, TASKS, options, seed=0)
    before = {key: value.clone() for key, value in balancer.state_dict().items() if not key.startswith("labels.")}
    labels = {task: targets for task, targets in LABELS.items() if weighted}
    broken = {task for task, losses in values.items() if not all(map(math.isfinite, losses))}
    error, scalar, gradient = call(balancer, values, dtype, accumulated=accumulated, labels=labels)
    if broken:
        assert named(error) == broken
        assert "The loss of task" in str(error)
        # Before any weight is computed: the balancer is as it was.
        assert balancer.weights == {}
        after = balancer.state_dict()
        assert all(torch.equal(after[key].nan_to_num(7.0), value.nan_to_num(7.0)) for key, value in before.items())
    else:
        assert error is None
        assert scalar.isfinite()
        assert gradient.isfinite().all() or dtype is torch.float16


@pytest.mark.parametrize("factor", BROKEN)
@pytest.mark.parametrize("accumulated", [False, True])
@pytest.mark.parametrize("name", READ_GRADIENTS)
def test_a_gradient_that_is_not_finite_is_named_where_a_rule_reads_it(name, accumulated, factor):
    for dtype in DTYPES:
        balancer = make_balancer(name, TASKS, OPTIONS.get(name), seed=0)
        error, _, _ = call(balancer, {}, dtype, accumulated=accumulated, hooks=[("b", factor)])
        if accumulated:
            # The gradients of a step are read in the next one.
            assert error is None
            balancer.after_step(lambda: {task: torch.ones(4) for task in TASKS})
            error, _, _ = call(balancer, {}, dtype, accumulated=True)
        assert str(error).startswith("The gradient of task 'b' is not finite")


@pytest.mark.parametrize("name", sorted(BALANCERS))
@settings(max_examples=15)
@given(
    share=st.floats(0.1, 1.0),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    task=st.sampled_from(list(TASKS)),
    power=st.sampled_from([0.5, 0.75, 1.0]),
)
def test_losses_near_the_largest_number_give_a_finite_scalar_or_name_their_task(name, share, dtype, task, power):
    balancer = make_balancer(name, TASKS, OPTIONS.get(name), seed=0)
    large = share * torch.finfo(dtype).max ** power
    error, scalar, _ = call(balancer, {task: [large] * 4}, dtype, scalars=balancer.needs != "halves")
    if error is None:
        assert scalar.isfinite()
    else:
        assert named(error) == {task}
