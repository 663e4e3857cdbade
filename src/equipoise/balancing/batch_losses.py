"""The losses of one batch over all processes, as numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .collectives import sum_over_ranks


@dataclass(frozen=True)
class BatchLosses:
    """What all processes together know of a batch.

    Args:
        losses: L_t, float64 on the CPU, shape (T,); 0 for a task without labels.
        seen: which tasks have labels in this batch, shape (T,).
        weighed: which tasks have labels in the optimizer step, shape (T,).
        sizes: by task what its entry is to be divided by to add up to L_t.
        means: by task seen its mean loss without example weights.
    """

    losses: Tensor
    seen: Tensor
    weighed: Tensor
    sizes: dict[str, float]
    means: dict[str, float]


def gather_losses(
    tasks: Mapping[str, Any],
    losses: Mapping[str, Tensor],
    weighted: Mapping[str, Tensor],
    counts: Mapping[str, float] | None,
    group: Any = None,
) -> BatchLosses:
    """Sum up a batch's losses over all processes, in one exchange.

    Args:
        tasks: all tasks, in order.
        losses: per task the losses of its examples, or one scalar; some may be missing or empty.
        weighted: the same of the tasks present here, times the example weights.
        counts: labels of the accumulated batch by task, if there is accumulation.
        group: the processes.
    """
    # By task: the sum of its entry with and without example weights, its length, whether it is a scalar, its count.
    numbers = torch.zeros(len(tasks), 5, dtype=torch.float64)
    present = [index for index, task in enumerate(tasks) if task in weighted]
    if present:
        pairs = [value.detach().sum() for task, entry in weighted.items() for value in (entry, losses[task].to(entry))]
        numbers[present, :2] = torch.stack(pairs).cpu().double().view(-1, 2)
    for index, task in enumerate(tasks):
        if task in weighted:
            numbers[index, 2] = weighted[task].numel()
            numbers[index, 3] = float(weighted[task].dim() == 0)
        numbers[index, 4] = float((counts or {}).get(task, 0))
    numbers = sum_over_ranks(numbers, group, next(iter(losses.values())).device)

    totals, raw, lengths, scalars, labels = numbers.unbind(1)
    seen = lengths > 0
    sizes = torch.where(scalars > 0, scalars, lengths if counts is None else labels)
    means = {task: (raw[i] / lengths[i]).item() for i, task in enumerate(tasks) if seen[i]}
    return BatchLosses(
        losses=torch.where(seen, totals / sizes.where(sizes > 0, 1.0), 0.0),
        seen=seen,
        weighed=seen if counts is None else labels > 0,
        sizes=dict(zip(tasks, sizes.tolist(), strict=True)),
        means=means,
    )


def add_up(parts: Iterable[Tensor], losses: Mapping[str, Tensor]) -> Tensor:
    """Add up the tasks' parts of the scalar; empty entries are touched, so that it reaches their modules."""
    untouched = [0.0 * entry.sum() for entry in losses.values() if entry.numel() == 0]
    return sum([*(part.sum() for part in parts), *untouched], torch.tensor(0.0))
