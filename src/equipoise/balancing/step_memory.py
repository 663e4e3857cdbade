"""What a balancer remembers of optimizer steps: the open one, and the last known of each task."""

import torch
from torch import Tensor


class StepMemory:
    """Sum the losses and gradients of an accumulated batch, and keep those of the steps before it.

    Args:
        size: T, the number of tasks.
    """

    def __init__(self, size: int) -> None:
        self.count = torch.zeros((), dtype=torch.int64)
        """How many steps have been opened."""
        self.losses = torch.full((size,), torch.nan, dtype=torch.float64)
        """Losses of the open step, shape (T,); NaN for tasks it has not seen."""
        self.gradients: Tensor | None = None
        """What is summed up of the open step's gradients, shape (T, …)."""
        self.weights: Tensor | None = None
        """The open step's task weights, shape (T,), where it has several micro-batches."""
        self.previous_losses = torch.ones(size, dtype=torch.float64)
        """Each task's last known loss, shape (T,); 1 before there is one."""
        self.previous_squares = torch.zeros(size, dtype=torch.float64)
        """Squared norm of each task's last known gradient, shape (T,); 0 before there is one."""
        self.previous_gradients: Tensor | None = None
        """What balancers read of each task's last known gradient, shape (T, T) or (T, n)."""

    @property
    def is_open(self) -> bool:
        """Whether the open step has seen any task."""
        return not bool(self.losses.isnan().all())

    def add(self, seen: Tensor, losses: Tensor, gradients: Tensor | None = None) -> None:
        """Add the losses, shape (T,), and gradients, shape (T, …), of the tasks seen, shape (T,), to the open step."""
        if not self.is_open:
            self.count = self.count + 1
        self.losses = torch.where(seen, self.losses.nan_to_num(0.0) + losses, self.losses)
        if gradients is not None:
            self.gradients = gradients if self.gradients is None else self.gradients.to(gradients) + gradients

    def reset(self) -> None:
        """Forget the open step."""
        self.losses = torch.full_like(self.losses, torch.nan)
        self.gradients = None
        self.weights = None

    def close(self, squares: Tensor | None = None, gradients: Tensor | None = None, *, pairwise: bool = False) -> None:
        """Make the open step the previous one; tasks it has not seen keep what is known of them.

        Args:
            squares: squared norms of its gradients, shape (T,).
            gradients: what balancers read of its gradients, shape (T, T) or (T, n).
            pairwise: whether these are products of every two tasks' gradients.
        """
        seen = ~self.losses.isnan()
        self.previous_losses = self.losses.where(seen, self.previous_losses)
        if squares is not None and gradients is not None:
            before = torch.zeros_like(gradients) if self.previous_gradients is None else self.previous_gradients
            # Products of gradients of different steps are taken as 0: so a Gramian stays positive semi-definite.
            unchanged = torch.outer(~seen, ~seen) if pairwise else (~seen)[:, None]
            self.previous_gradients = torch.where(unchanged.to(gradients.device), before.to(gradients), gradients)
            self.previous_squares = squares.where(seen, self.previous_squares)
        self.reset()

    def state(self) -> dict[str, Tensor]:
        """Return everything as tensors."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""
        for name in vars(self):
            setattr(self, name, state.get(name))
