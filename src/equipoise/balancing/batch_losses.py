"""The losses of one batch over all processes, as numbers."""

from collections.abc import Collection, Iterable, Mapping
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


class LossSums:
    """The sums of a batch's losses in this process, which stay on the device until they are asked for.

    Args:
        losses: per task the losses of its examples, or one scalar; some may be missing or empty.
        weighted: the same of the tasks present, times the example weights.
    """

    def __init__(self, losses: Mapping[str, Tensor], weighted: Mapping[str, Tensor]) -> None:
        self._device = next(iter(losses.values())).device
        self._lengths = {task: entry.numel() for task, entry in weighted.items()}
        self._scalars = {task for task, entry in weighted.items() if entry.dim() == 0}
        self._changed = [task for task, entry in weighted.items() if losses[task] is not entry]
        entries = [*weighted.values(), *(losses[task].to(weighted[task]) for task in self._changed)]
        sums = [entry.detach().sum() for entry in entries]
        self.on_device = torch.stack(sums) if sums else torch.zeros(0, device=self._device)
        """The sums with example weights by task present, then those without where they differ."""

    @property
    def sizes(self) -> dict[str, float]:
        """By task present what its entry is divided by, where this batch is the whole step."""
        return {task: 1.0 if task in self._scalars else float(length) for task, length in self._lengths.items()}

    def read(self, numbers: Tensor) -> tuple[dict[str, float], dict[str, float]]:
        """Return by task present the sum of its losses with and without example weights.

        Args:
            numbers: `on_device`, brought to the CPU.
        """
        found = numbers.tolist()
        totals = dict(zip(self._lengths, found, strict=False))
        return totals, totals | dict(zip(self._changed, found[len(totals) :], strict=True))

    def gather(
        self, tasks: Collection[str], numbers: Tensor, counts: Mapping[str, float] | None, group: Any = None
    ) -> BatchLosses:
        """Add up the losses over all processes, in one exchange.

        Args:
            tasks: all tasks, in order.
            numbers: `on_device`, brought to the CPU.
            counts: labels of the accumulated batch by task, if there is accumulation.
            group: the processes.
        """
        totals, raw = self.read(numbers)
        # By task: both sums, the length of its entry, whether it is a scalar, its count.
        own = [
            [
                totals.get(task, 0.0),
                raw.get(task, 0.0),
                self._lengths.get(task, 0),
                float(task in self._scalars),
                (counts or {}).get(task, 0),
            ]
            for task in tasks
        ]
        table = sum_over_ranks(torch.tensor(own, dtype=torch.float64), group, self._device)
        weighted, plain, lengths, scalars, labels = table.unbind(1)
        seen = lengths > 0
        sizes = torch.where(scalars > 0, scalars, lengths if counts is None else labels)
        means = (plain / lengths).tolist()
        return BatchLosses(
            losses=torch.where(seen, weighted / sizes.where(sizes > 0, 1.0), 0.0),
            seen=seen,
            weighed=seen if counts is None else labels > 0,
            sizes=dict(zip(tasks, sizes.tolist(), strict=True)),
            means={task: mean for task, mean, there in zip(tasks, means, seen.tolist(), strict=True) if there},
        )


def add_up(parts: Iterable[Tensor], losses: Mapping[str, Tensor]) -> Tensor:
    """Add up the tasks' parts of the scalar; empty entries are touched, so that it reaches their modules."""
    untouched = [0.0 * entry.sum() for entry in losses.values() if entry.numel() == 0]
    return sum([*(part.sum() for part in parts), *untouched], torch.tensor(0.0))
