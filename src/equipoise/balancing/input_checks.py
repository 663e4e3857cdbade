"""Checks of what balancers are given: options by task, and the inputs of a step."""

import math
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from equipoise.checks import checked_number
from equipoise.errors import TrainingError, UsageError, did_you_mean


class NonFiniteLoss(TrainingError):  # noqa: N818 - it names the finding
    """A task's loss, or its gradient, is NaN or infinite."""


def check_installed(balancer: str, packages: Iterable[str]) -> None:
    """Check that a balancer's packages are installed.

    Raises:
        UsageError: If one is not, with the command that installs it.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"The balancer {balancer} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            'not installed. Install with: pip install "equipoise[balancers]"'
        )


def checked_numbers(
    name: str, values: Any, tasks: Mapping[str, Any], default: float, valid: Callable[[float], bool], expected: str
) -> Tensor:
    """Return an option that maps tasks to numbers as a tensor, shape (T,), float64.

    Args:
        name: the option, for the message.
        values: what was given: a mapping from task to number, or None.
        tasks: all tasks.
        default: the number of a task that is not in the mapping.
        valid: whether a finite number is in range.
        expected: the range in words, for the message.

    Raises:
        ValueError: If it is no mapping, names an unknown task, or a number is out of range.
    """
    if values is not None and not isinstance(values, Mapping):
        raise ValueError(f"`{name}` must map tasks to numbers. Found {values!r}.")
    values = values or {}
    check_names(tasks, **{name: values})
    return torch.tensor(
        [checked_number(f"{name}['{task}']", values.get(task, default), valid, expected) for task in tasks],
        dtype=torch.float64,
    )


def checked_clip(clip: Any) -> tuple[float, float]:
    """Return the smallest and the largest weight.

    Raises:
        ValueError: If it is not a pair of numbers with 0 <= smallest <= 1 <= largest.
    """
    try:
        low, high = (float(bound) for bound in clip)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not 0 <= low <= 1 <= high:
        raise ValueError(f"`clip` must be the smallest and the largest weight, with 1 between them. Found {clip!r}.")
    return low, high


def check_names(tasks: Mapping[str, Any], **arguments: Any) -> None:
    """Check that arguments name existing tasks only.

    Raises:
        ValueError: If one does not, with the closest name there is.
    """
    for argument, names in arguments.items():
        for name in names or ():
            if name not in tasks:
                raise ValueError(f"`{argument}` has an unknown task '{name}'. {did_you_mean(name, tasks)}")


def check_entries(
    losses: Mapping[str, Tensor],
    *,
    targets: Mapping[str, Tensor] | None,
    rows: Mapping[str, Tensor] | None,
    counts: Mapping[str, float] | None,
) -> None:
    """Check that what is given for the tasks present fits together.

    Raises:
        ValueError: If it does not, or there is no entry.
    """
    if not losses:
        raise ValueError("`losses` is empty. Pass an entry, which may be an empty tensor, for at least one task.")
    for task, entry in losses.items():
        if entry.numel() > 0:
            _check_entry(task, entry, targets=targets, rows=rows, counts=counts)


def _check_entry(
    task: str,
    entry: Tensor,
    *,
    targets: Mapping[str, Tensor] | None,
    rows: Mapping[str, Tensor] | None,
    counts: Mapping[str, float] | None,
) -> None:
    """Check that what is given for a present task fits together.

    Raises:
        ValueError: If it does not.
    """
    if entry.dim() > 1:
        raise ValueError(
            f"losses['{task}'] has shape {tuple(entry.shape)}; expected one loss per labeled example, or a scalar."
        )
    for name, other in (("targets", targets), ("rows", rows)):
        if other and task in other and entry.dim() == 1 and other[task].shape[:1] != entry.shape:
            raise ValueError(
                f"{name}['{task}'] has shape {tuple(other[task].shape)}, losses['{task}'] has "
                f"{tuple(entry.shape)}; expected one entry per labeled example in both."
            )
    if rows and task in rows and (rows[task].dim() != 1 or rows[task].dtype != torch.long):
        raise ValueError(f"rows['{task}'] must be indices into the rows of `features`: int64 of shape (n,).")
    if counts is not None and counts.get(task, 0) < entry.numel():
        raise ValueError(
            f"counts['{task}'] is {counts.get(task, 0)}, but this micro-batch alone has {entry.numel()} labels; "
            f"expected the number in all micro-batches of the step."
        )


def check_views(losses: Mapping[str, Tensor], features: Tensor | Mapping[str, Tensor] | None) -> None:
    """Check that every task present has a view of the features, and that all are views of one tensor by their shape.

    Raises:
        ValueError: If one is missing, or they differ.
    """
    if features is None or isinstance(features, Tensor):
        return
    if not isinstance(features, Mapping):
        raise ValueError(
            f"`features` must be the tensor that the heads read, or a dict of a view for each task. "
            f"Found {type(features).__name__}."
        )
    if not features:
        raise ValueError("`features` is empty. Pass the tensor that the heads read, or a view of it for each task.")
    missing = [task for task, entry in losses.items() if entry.numel() > 0 and task not in features]
    if missing:
        raise ValueError(
            f"`features` has no view for {' and '.join(map(repr, missing))}. Pass one for each task with labels, or "
            "one tensor that all heads read."
        )
    strange = {task: type(view).__name__ for task, view in features.items() if not isinstance(view, Tensor)}
    if strange:
        raise ValueError(f"`features` must hold tensors, a view for each task. Found {strange}.")
    shapes = {task: tuple(view.shape) for task, view in features.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"`features` must be views of one tensor, of one shape. Found {shapes}.")


def check_finite(what: str, numbers: Tensor, tasks: Iterable[str]) -> None:
    """Check numbers of tasks, shape (T,).

    Raises:
        NonFiniteLoss: If one is NaN or infinite; names its task.
    """
    broken = [task for task, number in zip(tasks, numbers.tolist(), strict=True) if not math.isfinite(number)]
    if broken:
        raise NonFiniteLoss(
            f"The {what} of task {' and '.join(map(repr, broken))} is not finite. "
            f"Look for labels out of range in this batch, or lower the learning rate."
        )


def check_products(weights: Mapping[str, float], losses: Tensor, dtypes: Iterable[torch.dtype]) -> None:
    """Check that weights times losses, and their sum, are numbers that the types can hold.

    Args:
        weights: by task.
        losses: finite, shape (T,), float64.
        dtypes: of the losses.

    Raises:
        NonFiniteLoss: If one is too large; names its task.
    """
    products = [weight * loss for weight, loss in zip(weights.values(), losses.tolist(), strict=True)]
    limit = min((torch.finfo(dtype).max for dtype in dtypes), default=math.inf)
    if sum(map(abs, products)) > limit:
        # If none alone is too large, the largest is to blame.
        most = min(limit, max(map(abs, products)))
        check_finite(
            "weighted loss", torch.tensor([math.inf if abs(one) >= most else one for one in products]), weights
        )
