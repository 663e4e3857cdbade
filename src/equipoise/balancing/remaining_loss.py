"""How much of its first loss each task still has."""

import torch
from torch import Tensor

from .initial_losses import InitialLosses

_KEEP = 0.9
"""How much of the moving average stays in a step: a single batch says little about a task."""


class RemainingLoss:
    """Each task's loss relative to its first ones, r_t, from 1 (nothing is learned) to 0 (our design).

    r_t is a moving average of the losses over the mean of the task's first ten; 1 before it has had ten, and at most 1.
    It is 1, too, for a task that has had a negative loss or none above 0: such a loss has no zero to come near to.

    Args:
        size: T, the number of tasks.
    """

    def __init__(self, size: int) -> None:
        self._initial = InitialLosses(size)
        self._seen = torch.zeros(size, 3, dtype=torch.float64)
        """Per task the moving average of its losses before its correction, how many they are, and how many are
        negative."""

    def record(self, rows: list[int], losses: Tensor) -> None:
        """Count the losses, shape (P,), of the tasks with these indices in."""
        self._initial.record(rows, losses)
        moving = _KEEP * self._seen[rows, 0] + (1 - _KEEP) * losses
        self._seen = self._seen.clone()
        self._seen[rows, 0] = moving
        self._seen[rows, 1] += 1
        self._seen[rows, 2] += losses < 0

    def left(self, rows: list[int]) -> Tensor:
        """Return r_t of the tasks with these indices, in (0, 1], shape (P,)."""
        moving, count, negative = self._seen[rows].unbind(1)
        # As if the average had begun with its first value (Kingma & Ba, 2015).
        usual = moving / (1 - _KEEP**count).where(count > 0, 1.0)
        known = self._initial.complete(rows) & (negative == 0)
        return torch.where(known, self._initial.ratios(rows, usual), 1.0).clamp_max(1.0)

    def state(self) -> dict[str, Tensor]:
        """Return everything as tensors."""
        return {"progress.first": self._initial.first, "progress.seen": self._seen}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        self._initial.first, self._seen = state["progress.first"], state["progress.seen"]
