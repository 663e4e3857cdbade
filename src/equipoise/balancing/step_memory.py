"""What a balancer remembers of optimiser steps: the open one, and the last known of each task."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .feature_gradients import gramian


class StepMemory:
    """Sum the losses and gradients of an accumulated batch, and keep those of the steps before it.

    Args:
        size: T, the number of tasks.
    """

    def __init__(self, size: int) -> None:
        self.losses = torch.full((size,), torch.nan, dtype=torch.float64)
        """Losses of the open step, shape (T,); NaN for tasks it has not seen."""
        self.gradients: Tensor | None = None
        """Gradients of the open step, shape (T, d, d + 1)."""
        self.previous_losses = torch.ones(size, dtype=torch.float64)
        """Each task's last known loss, shape (T,); 1 before there is one."""
        self.previous_gramian = torch.zeros(size, size, dtype=torch.float64)
        """Gramian of each task's last known gradient, shape (T, T); 0 before there is one."""

    def add(self, tasks: Sequence[int], losses: Tensor, gradients: Tensor | None = None) -> None:
        """Add some tasks' losses, shape (P,), and gradients, shape (P, d, d + 1), to the open step."""
        self.losses[tasks] = self.losses[tasks].nan_to_num(0.0) + losses
        if gradients is not None:
            if self.gradients is None:
                self.gradients = gradients.new_zeros(len(self.losses), *gradients.shape[1:])
            self.gradients = self.gradients.to(gradients)
            self.gradients[tasks] += gradients

    def reset(self) -> None:
        """Forget the open step."""
        self.losses = torch.full_like(self.losses, torch.nan)
        self.gradients = None

    def close(self) -> None:
        """Make the open step the previous one; tasks it has not seen keep what is known of them."""
        seen = ~self.losses.isnan()
        self.previous_losses = self.losses.where(seen, self.previous_losses)
        if self.gradients is not None:
            # Products of gradients of different steps are taken as 0: so the matrix stays positive
            # semi-definite.
            kept = torch.outer(~seen, ~seen)
            self.previous_gramian = self.previous_gramian.where(kept, gramian(self.gradients).cpu())
        self.reset()

    def state(self) -> dict[str, Tensor]:
        """Return everything as tensors."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        for name in vars(self):
            setattr(self, name, state.get(name))
