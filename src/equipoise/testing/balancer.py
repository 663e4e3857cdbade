"""A check suite for balancers: run it over your own."""

import math

import torch

from .batch import TASKS, Batch, Make, batches, check_close, check_sum, history, run
from .ranks import check_ranks
from .training import (
    check_accumulation,
    check_not_finite,
    check_random_state,
    check_rescaling,
    check_skipped_step,
    check_state,
)

_DRAWS = 100


def check_balancer(make: Make) -> None:
    """Check that a balancer keeps the contract of `equipoise.balancing.Balancer`.

    It checks, over several steps with tasks that label different rows:

    - the weights are finite, not negative, detached, and sum to the number of tasks present; one task has weight 1;
    - they do not depend on the tasks' order; if the class says `random`, in their mean over 100 draws;
    - absent tasks have weight 0, a missing entry being the same as an empty one; tasks without a gradient have weight
      1 where the rule uses gradients; the scalar reaches every task's parameters;
    - a loss 100 times larger or smaller changes the weights as the class says by `rescaling`;
    - equal inputs give equal weights, torch's global random state is left alone, and a fresh balancer that loads a
      saved state goes on exactly, also in the middle of an accumulated step;
    - micro-batches of one step have the same weights, and their gradients add up to the joined batch's;
    - nothing is learnt from a skipped step; a loss that is NaN raises `NonFiniteLoss`, which names the task, and does
      no harm to the next step;
    - two processes with parts of a batch have the same weights, and, unless the rule halves batches, those of one
      process with all of it; so have the gradients. (It needs torch's gloo, and is left out where there is none.)

    Args:
        make: the balancer's class, or a function that makes one from a mapping from task name to kind. It is
            called with tasks named score, polarity and anger, or some of them, in any order.

    Raises:
        AssertionError: If the balancer breaks the contract; the message says how.

    Example:
        >>> from equipoise.balancing import DynamicAdaptiveLoss
        >>> from equipoise.testing import check_balancer
        >>> check_balancer(DynamicAdaptiveLoss)
    """
    for check in (
        _check_weights,
        _check_scalar,
        _check_reaches_every_task,
        _check_order,
        _check_one_task,
        _check_absent_task,
        _check_zero_gradient,
        _check_determinism,
        check_random_state,
        check_state,
        check_rescaling,
        check_accumulation,
        check_skipped_step,
        check_not_finite,
        check_ranks,
    ):
        check(make)


def _check_weights(make: Make) -> None:
    for weights in history(make(TASKS), batches()):
        check_sum(weights, 3, "With every task present")


def _check_scalar(make: Make) -> None:
    balancer, batch = make(TASKS), Batch(0)
    # A scalar cannot be halved.
    losses = {task: loss if balancer.needs == "halves" else loss.mean() for task, loss in batch.losses.items()}
    scalar = batch.balance(balancer, losses)
    assert scalar.dim() == 0, f"The balancer returned shape {tuple(scalar.shape)}, not a scalar."
    weights = torch.tensor([balancer.weights[task] for task in losses])
    expected = weights @ torch.stack([loss.detach().mean() for loss in losses.values()])
    found = torch.autograd.grad(scalar, list(losses.values()), retain_graph=True, allow_unused=True)
    assert torch.allclose(scalar.detach(), expected, rtol=1e-4), (
        f"The scalar is {scalar.item():g}, but weights times losses is {expected.item():g}."
    )
    derivative = torch.stack([torch.tensor(0.0) if one is None else one.sum() for one in found])
    assert torch.allclose(derivative, weights, rtol=1e-4), (
        f"The scalar's derivative by the losses is {derivative.tolist()}, but the weights are {weights.tolist()}: "
        f"the weights have to be detached from the graph."
    )


def _check_reaches_every_task(make: Make) -> None:
    batch, scalar = next(run(make(TASKS), batches()))
    scalar.backward()
    for name, parameter in {"backbone": batch.backbone, **batch.modules}.items():
        assert parameter.grad is not None, f"The scalar does not reach the parameters of '{name}'."
        assert parameter.grad.isfinite().all(), f"The gradient of '{name}' is not finite."


def _check_order(make: Make) -> None:
    balancer, turned = make(TASKS), make(dict(reversed(TASKS.items())))
    if balancer.random:
        _check_order_of_draws(make)
        return
    for step, weights in enumerate(history(balancer, batches())):
        batch = Batch(step)
        batch.balance(turned, dict(reversed(batch.losses.items())))
        check_close(turned.weights, weights, "The weights depend on the order of the tasks")
        batch.close(turned)
        if step % 2:
            turned.on_epoch_end()


def _check_order_of_draws(make: Make) -> None:
    """Compare mean weights: five standard errors apart is no chance."""
    batch, draws = Batch(0), []
    for tasks in (TASKS, dict(reversed(TASKS.items()))):
        balancer, losses = make(tasks), {task: batch.losses[task] for task in tasks}
        weights = []
        for _ in range(_DRAWS):
            batch.balance(balancer, losses)
            weights.append([balancer.weights[task] for task in TASKS])
        draws.append(torch.tensor(weights, dtype=torch.float64))
    means = [one.mean(0) for one in draws]
    error = torch.stack([one.var(0) / _DRAWS for one in draws]).sum(0).sqrt()
    assert bool(((means[0] - means[1]).abs() <= 5 * error + 1e-4).all()), (
        f"The weights depend on the order of the tasks: over {_DRAWS} draws their means are {means[0].tolist()} for "
        f"{list(TASKS)}, and {means[1].tolist()} in the reverse order."
    )


def _check_one_task(make: Make) -> None:
    for task in TASKS:
        for tasks in ({task: TASKS[task]}, TASKS):
            balancer, batch = make(tasks), Batch(0)
            batch.balance(balancer, {task: batch.losses[task]})
            assert math.isclose(balancer.weights[task], 1.0, rel_tol=1e-6), (
                f"The only task present has weight {balancer.weights[task]}, not 1."
            )
            batch.close(balancer)


def _check_absent_task(make: Make) -> None:
    missing, empty = make(TASKS), make(TASKS)
    for step, batch in enumerate(batches()):
        absent = list(TASKS)[step % len(TASKS)]
        without = {task: loss for task, loss in batch.losses.items() if task != absent}
        scalar = batch.balance(missing, without)
        touching = batch.balance(empty, batch.losses | {absent: batch.losses[absent][:0]})
        check_sum(missing.weights, 2, f"Without '{absent}'")
        assert missing.weights[absent] == 0.0, f"The absent '{absent}' has weight {missing.weights[absent]}."
        assert missing.weights == empty.weights, (
            f"A missing entry and an empty one differ: {missing.weights} against {empty.weights}."
        )
        assert torch.equal(scalar, touching), f"A missing entry and an empty one differ: {scalar}, {touching}."
        touching.backward()
        gradient = batch.modules[absent].grad
        assert gradient is not None, f"The scalar does not reach '{absent}', whose entry is empty."
        assert not gradient.any(), f"The absent '{absent}' has a gradient."
        batch.close(missing)
        batch.close(empty)


def _check_zero_gradient(make: Make) -> None:
    for task in TASKS:
        balancer = make(TASKS)
        zero, after = Batch(0), Batch(1)
        zero.losses[task] = 0.0 * zero.losses[task]
        scalar = zero.balance(balancer)
        check_sum(balancer.weights, 3, f"With '{task}' at a loss of 0 without gradient")
        assert not balancer.needs_gradients or balancer.weights[task] == 1.0, (
            f"'{task}' has no gradient, but the weight {balancer.weights[task]} instead of 1."
        )
        assert scalar.isfinite(), f"With '{task}' at a loss of 0 the scalar is {scalar.item()}."
        zero.close(balancer)
        after.balance(balancer)
        check_sum(balancer.weights, 3, f"After '{task}' at a loss of 0 without gradient")


def _check_determinism(make: Make) -> None:
    first, second = history(make(TASKS), batches()), history(make(TASKS), batches())
    assert first == second, f"Two runs on the same losses differ: {first} against {second}."
