"""A check suite for balancers: run it over your own."""

import io
import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from equipoise.balancing import Balancer

_TASKS = {"score": "regression", "polarity": "classification", "anger": "regression"}
_STEPS = 4


class _Batch:
    """A small batch with its own model: 12 rows, a backbone, one linear task module per task.

    Each task labels other rows, and the losses lie far apart.
    """

    def __init__(self, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        inputs, backbone = torch.randn(12, 5, generator=random), torch.randn(5, 6, generator=random)
        self.backbone = backbone.requires_grad_()
        self.features = torch.tanh(inputs @ self.backbone)
        self.modules = {
            task: torch.randn(6, 3 if kind == "classification" else 1, generator=random).requires_grad_()
            for task, kind in _TASKS.items()
        }
        self.rows = {task: torch.arange(start, 12) for start, task in enumerate(_TASKS)}
        self.targets: dict[str, Tensor] = {}
        self.losses: dict[str, Tensor] = {}
        for task, scale in zip(_TASKS, (10.0, 1.0, 0.1), strict=True):
            output = self.features[self.rows[task]] @ self.modules[task]
            if _TASKS[task] == "classification":
                self.targets[task] = torch.randint(3, (len(output),), generator=random)
                loss = torch.nn.functional.cross_entropy(output, self.targets[task], reduction="none")
            else:
                self.targets[task] = torch.randn(len(output), generator=random)
                loss = (output.squeeze(1) - self.targets[task]).square()
            self.losses[task] = scale * loss

    def balance(self, balancer: Balancer, losses: Mapping[str, Tensor] | None = None) -> Tensor:
        """Call a balancer with these losses, or other ones of the same tasks."""
        losses = self.losses if losses is None else losses
        labelled = [task for task in losses if losses[task].dim() == 1 and losses[task].numel()]
        return balancer(
            losses,
            features=self.features,
            targets={task: self.targets[task] for task in labelled},
            rows={task: self.rows[task] for task in labelled},
        )


def check_balancer(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    """Check that a balancer keeps the contract of `equipoise.balancing.Balancer`.

    It checks, over several steps with tasks that label different rows: the weights are finite, not negative,
    detached, and sum to the number of tasks present; they do not depend on the tasks' order; one task has
    weight 1; absent tasks have weight 0, a missing entry being the same as an empty one; tasks without a
    gradient have weight 1 where the rule uses gradients; the scalar reaches every task's parameters; equal
    inputs give equal weights; and a fresh balancer that loads a saved state goes on exactly.

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
        _check_state,
    ):
        check(make)


def _run(balancer: Balancer, seeds: range) -> Iterator[tuple[_Batch, Tensor]]:
    """Take some steps, yielding each batch and its scalar."""
    for seed in seeds:
        batch = _Batch(seed)
        yield batch, batch.balance(balancer)
        balancer.after_step()
    balancer.on_epoch_end()


def _history(balancer: Balancer, seeds: range) -> list[dict[str, float]]:
    return [balancer.weights for _ in _run(balancer, seeds)]


def _check_sum(weights: Mapping[str, float], present: int, situation: str) -> None:
    assert set(weights) == set(_TASKS), f"{situation}, `weights` has the tasks {list(weights)}, not {list(_TASKS)}."
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights.values()), (
        f"{situation}, the weights {weights} are not all finite and non-negative."
    )
    total = sum(weights.values())
    assert math.isclose(total, present, rel_tol=1e-6), (
        f"{situation}, the weights {weights} sum to {total:g}, not to {present}, the number of tasks present."
    )


def _check_weights(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    for weights in _history(make(_TASKS), range(_STEPS)):
        _check_sum(weights, 3, "With every task present")


def _check_scalar(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    balancer, batch = make(_TASKS), _Batch(0)
    losses = {task: loss.mean() for task, loss in batch.losses.items()}
    scalar = batch.balance(balancer, losses)
    assert scalar.dim() == 0, f"The balancer returned shape {tuple(scalar.shape)}, not a scalar."
    weights = torch.tensor([balancer.weights[task] for task in losses])
    expected = weights @ torch.stack([loss.detach() for loss in losses.values()])
    assert torch.allclose(scalar.detach(), expected, rtol=1e-4), (
        f"The scalar is {scalar.item():g}, but weights times losses is {expected.item():g}."
    )
    found = torch.autograd.grad(scalar, list(losses.values()), retain_graph=True, allow_unused=True)
    derivative = torch.stack([torch.tensor(0.0) if one is None else one for one in found])
    assert torch.allclose(derivative, weights, rtol=1e-4), (
        f"The scalar's derivative by the losses is {derivative.tolist()}, but the weights are {weights.tolist()}: "
        f"the weights have to be detached from the graph."
    )


def _check_reaches_every_task(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    batch, scalar = next(_run(make(_TASKS), range(1)))
    scalar.backward()
    for name, parameter in {"backbone": batch.backbone, **batch.modules}.items():
        assert parameter.grad is not None, f"The scalar does not reach the parameters of '{name}'."
        assert parameter.grad.isfinite().all(), f"The gradient of '{name}' is not finite."


def _check_order(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    turned = make(dict(reversed(_TASKS.items())))
    for step, weights in enumerate(_history(make(_TASKS), range(_STEPS))):
        batch = _Batch(step)
        batch.balance(turned, dict(reversed(batch.losses.items())))
        turned.after_step()
        for task in _TASKS:
            assert math.isclose(weights[task], turned.weights[task], rel_tol=1e-4, abs_tol=1e-9), (
                f"The weights depend on the order of the tasks: {weights} against {turned.weights}."
            )


def _check_one_task(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    for task in _TASKS:
        for tasks in ({task: _TASKS[task]}, _TASKS):
            balancer, batch = make(tasks), _Batch(0)
            batch.balance(balancer, {task: batch.losses[task]})
            assert math.isclose(balancer.weights[task], 1.0, rel_tol=1e-6), (
                f"The only task present has weight {balancer.weights[task]}, not 1."
            )


def _check_absent_task(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    missing, empty = make(_TASKS), make(_TASKS)
    for step in range(_STEPS):
        batch = _Batch(step)
        absent = list(_TASKS)[step % len(_TASKS)]
        without = {task: loss for task, loss in batch.losses.items() if task != absent}
        scalar = batch.balance(missing, without)
        batch.losses[absent] = batch.losses[absent][:0]
        touching = batch.balance(empty)
        _check_sum(missing.weights, 2, f"Without '{absent}'")
        assert missing.weights[absent] == 0.0, f"The absent '{absent}' has weight {missing.weights[absent]}."
        assert missing.weights == empty.weights, (
            f"A missing entry and an empty one differ: {missing.weights} against {empty.weights}."
        )
        assert torch.equal(scalar, touching), f"A missing entry and an empty one differ: {scalar}, {touching}."
        touching.backward()
        gradient = batch.modules[absent].grad
        assert gradient is not None, f"The scalar does not reach '{absent}', whose entry is empty."
        assert not gradient.any(), f"The absent '{absent}' has a gradient."
        missing.after_step()
        empty.after_step()


def _check_zero_gradient(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    for task in _TASKS:
        balancer, batch = make(_TASKS), _Batch(0)
        batch.losses[task] = 0.0 * batch.losses[task]
        scalar = batch.balance(balancer)
        _check_sum(balancer.weights, 3, f"With '{task}' at a loss of 0 without gradient")
        assert not balancer.needs_gradients or balancer.weights[task] == 1.0, (
            f"'{task}' has no gradient, but the weight {balancer.weights[task]} instead of 1."
        )
        assert scalar.isfinite(), f"With '{task}' at a loss of 0 the scalar is {scalar.item()}."


def _check_determinism(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    first, second = _history(make(_TASKS), range(_STEPS)), _history(make(_TASKS), range(_STEPS))
    assert first == second, f"Two runs on the same losses differ: {first} against {second}."


def _check_state(make: Callable[[Mapping[str, str]], Balancer]) -> None:
    uninterrupted = make(_TASKS)
    _history(uninterrupted, range(_STEPS))
    file = io.BytesIO()
    torch.save(uninterrupted.state_dict(), file)
    file.seek(0)
    resumed = make(_TASKS)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for step in range(_STEPS, 2 * _STEPS):
        scalars = [_Batch(step).balance(balancer) for balancer in (uninterrupted, resumed)]
        same = uninterrupted.weights == resumed.weights and torch.equal(*scalars)
        assert same, (
            f"A balancer that loads a saved state goes on differently: {resumed.weights} against "
            f"{uninterrupted.weights}. Everything it remembers must be in its state_dict."
        )
        uninterrupted.after_step()
        resumed.after_step()
