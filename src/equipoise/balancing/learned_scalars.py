"""Scalars that a balancer learns, one per task."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


class LearnedScalars:
    """One scalar per task, learned by Adam; those of absent tasks stay, and so does what Adam remembers of them.

    They are no parameters of the balancer: these would move with it to another device or number format, be handed to
    the model's optimizer, and be waited for in distributed training.

    Args:
        size: T, the number of tasks.
        start: what they start from.
        lr: Adam's learning rate.
    """

    def __init__(self, size: int, *, start: float, lr: float) -> None:
        # One tensor per task: Adam skips those that have no gradient.
        self._scalars = [torch.full((), start, dtype=torch.float64) for _ in range(size)]
        self._adam = torch.optim.Adam(self._scalars, lr=lr)

    def values(self, rows: Sequence[int]) -> Tensor:
        """Return a copy of the numbers of P tasks, shape (P,)."""
        return torch.stack([self._scalars[row] for row in rows])

    def set_values(self, rows: Sequence[int], values: Tensor) -> None:
        """Set the numbers of P tasks, shape (P,)."""
        for row, value in zip(rows, values, strict=True):
            self._scalars[row].copy_(value)

    def adam_step(self, rows: Sequence[int], slopes: Tensor) -> None:
        """Take a step of Adam along the slopes of P tasks, shape (P,)."""
        for row, slope in zip(rows, slopes, strict=True):
            self._scalars[row].grad = slope
        self._adam.step()
        self._adam.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Return a copy of everything as tensors."""
        return {"learned": torch.stack(self._scalars)} | {
            f"adam.{index}.{name}": value.clone()
            for index, remembered in self._adam.state_dict()["state"].items()
            for name, value in remembered.items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned; other entries are left out."""
        self.set_values(range(len(self._scalars)), state["learned"])
        remembered: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for key, value in state.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                remembered[int(index)][name] = value
        self._adam.load_state_dict(self._adam.state_dict() | {"state": remembered})
