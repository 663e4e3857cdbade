"""How far each task's loss has come since the start of training."""

import torch
from torch import Tensor

_STEPS = 10
_SMALLEST = 1e-8


class InitialLosses:
    """Each task's loss at the start of training: the mean over its first ten steps with a positive one (our design).

    The loss of a single mini-batch, as the papers have it, would be a noisy yardstick for the whole training.

    Args:
        size: T, the number of tasks.
    """

    def __init__(self, size: int) -> None:
        self.first = torch.zeros(size, 2, dtype=torch.float64)
        """Per task the sum of its first losses, and how many they are."""

    def record(self, rows: list[int], losses: Tensor) -> None:
        """Count the losses, shape (P,), of the tasks with these indices in, if they are early enough."""
        early = (self.first[rows, 1] < _STEPS) & (losses > 0)
        self.first = self.first.clone()
        self.first[rows] += torch.stack([losses, torch.ones_like(losses)], dim=1) * early[:, None]

    def complete(self, rows: list[int]) -> Tensor:
        """Return which of the tasks with these indices have had all their first losses, shape (P,)."""
        return self.first[rows, 1] >= _STEPS

    def ratios(self, rows: list[int], losses: Tensor) -> Tensor:
        """Return L_t / L_t(0), positive, shape (P,); 1 for a task without a loss so far."""
        total, count = self.first[rows].unbind(1)
        return torch.where(count > 0, losses * count / total.where(count > 0, 1.0), 1.0).clamp_min(_SMALLEST)
