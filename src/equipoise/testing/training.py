"""Checks of a balancer in the training loop: its state, accumulated and skipped steps, broken and rescaled losses."""

import io
import math

import torch

from equipoise.balancing import Balancer, NonFiniteLoss

from .batch import LABELLED, STEPS, TASKS, Batch, Make, batches, check_close, check_sum, history

_FACTORS = (("score", 100.0), ("polarity", 0.01))


def check_random_state(make: Make) -> None:
    """Check that torch's global random state is left alone."""
    before = torch.get_rng_state()
    history(make(TASKS), batches())
    assert torch.equal(before, torch.get_rng_state()), (
        "The balancer moves torch's global random state. Draw from a generator of its own."
    )


def check_state(make: Make) -> None:
    """Check that a fresh balancer that loads a saved state goes on exactly."""
    uninterrupted = make(TASKS)
    history(uninterrupted, batches())
    resumed = _reloaded(uninterrupted, make)
    for step, batch in enumerate(batches(start=STEPS)):
        scalars = [batch.balance(balancer) for balancer in (uninterrupted, resumed)]
        assert uninterrupted.weights == resumed.weights, _differs(uninterrupted, resumed)
        assert torch.equal(*scalars), _differs(uninterrupted, resumed)
        for balancer in (uninterrupted, resumed):
            batch.close(balancer)
            if step % 2:
                balancer.on_epoch_end()


def check_rescaling(make: Make) -> None:
    """Check that weights change as the class says where one task's loss is c times larger."""
    promise = make(TASKS).rescaling
    assert promise in ("compensates", "ignores", None), (
        f"`rescaling` is {promise!r}; expected 'compensates', 'ignores' or None."
    )
    if promise is None:
        return
    for task, factor in _FACTORS:
        balancers = [make(TASKS), make(TASKS)]
        for balancer in balancers:
            balancer.clip = (0.0, math.inf)
        scales = dict.fromkeys(TASKS, 1.0)
        histories = [
            history(balancer, batches(scales=one))
            for balancer, one in zip(balancers, (scales, scales | {task: factor}), strict=True)
        ]
        for before, after in zip(*histories, strict=True):
            expected = before
            if promise == "compensates":
                raw = before | {task: before[task] / factor}
                expected = {name: weight * len(TASKS) / sum(raw.values()) for name, weight in raw.items()}
            check_close(
                after,
                expected,
                f"With '{task}' {factor:g} times larger the balancer, by its `rescaling`, {promise}",
                tolerance=1e-3,
            )


def check_accumulation(make: Make) -> None:
    """Check steps of two micro-batches, with a save and a load between them, and a task that is in the second only."""
    balancers = [make(TASKS)]
    for step in range(STEPS):
        labelled = LABELLED if step % 2 else LABELLED | {"anger": range(6, 12)}
        counts = {task: len(rows) for task, rows in labelled.items()}
        whole = Batch(step, labelled=labelled)
        parts = [Batch(step, rows=rows, labelled=labelled) for rows in (range(5), range(5, 12))]
        for part in parts:
            scalars = [part.balance(balancer, counts=counts, targets=False) for balancer in balancers]
            scalars[0].backward()
            check_sum(balancers[0].weights, 3, "With micro-batches")
            assert balancers[0].weights == balancers[-1].weights, _differs(balancers[0], balancers[-1])
            if part is parts[0]:
                weights = balancers[0].weights
                if step == 1:
                    balancers.append(_reloaded(balancers[0], make))
        assert balancers[0].weights == weights, (
            f"The micro-batches of one step have different weights: {weights}, then {balancers[0].weights}."
        )
        scalar = torch.stack([weight * whole.losses[task].mean() for task, weight in weights.items()]).sum()
        scalar.backward()
        found = torch.stack([_gradient(part) for part in parts]).sum(0)
        assert torch.allclose(found, _gradient(whole), rtol=1e-3, atol=1e-5), (
            "The gradients of a step's micro-batches do not add up to those of weights times the joined batch's losses."
        )
        for balancer in balancers:
            whole.close(balancer)
            if step % 2:
                balancer.on_epoch_end()


def check_skipped_step(make: Make) -> None:
    """Check that a step that the optimizer skipped teaches no more than one that was never closed."""
    skipping, leaving = make(TASKS), make(TASKS)
    for step, batch in enumerate(batches()):
        for balancer in (skipping, leaving):
            batch.balance(balancer)
        assert skipping.weights == leaving.weights, (
            f"The balancer learns from a step that the optimizer skipped: its next weights are {skipping.weights}, not "
            f"{leaving.weights}."
        )
        if step == 1:
            batch.close(skipping, skipped=True)
        else:
            batch.close(skipping)
            batch.close(leaving)


def check_not_finite(make: Make) -> None:
    """Check that a loss that is NaN is named, and leaves the balancer usable."""
    balancer = make(TASKS)
    history(balancer, batches())
    for step, task in enumerate(TASKS):
        broken, good = Batch(step), Batch(step)
        broken.losses[task] = broken.losses[task] * math.nan
        try:
            broken.balance(balancer)
            message = None
        except NonFiniteLoss as error:
            message = str(error)
        assert message is not None, f"A loss of '{task}' that is NaN raises no NonFiniteLoss."
        assert f"'{task}'" in message, f"The error of a loss that is NaN does not name '{task}': {message}"
        try:
            good.balance(balancer)
        except (ValueError, NonFiniteLoss) as error:
            raise AssertionError(f"After a loss that is NaN the next step fails: {error}") from error
        check_sum(balancer.weights, 3, "After a loss that is NaN")
        good.close(balancer)


def _gradient(batch: Batch) -> torch.Tensor:
    return torch.zeros_like(batch.backbone) if batch.backbone.grad is None else batch.backbone.grad


def _reloaded(balancer: Balancer, make: Make) -> Balancer:
    """Make a fresh balancer that loads the state of another from a file."""
    file = io.BytesIO()
    torch.save(balancer.state_dict(), file)
    file.seek(0)
    fresh = make(TASKS)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    return fresh


def _differs(uninterrupted: Balancer, resumed: Balancer) -> str:
    return (
        f"A balancer that loads a saved state goes on differently: {resumed.weights} against "
        f"{uninterrupted.weights}. Everything it remembers must be in its state_dict."
    )
