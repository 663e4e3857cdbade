"""Scalarizers with one learned number a task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .adam_state import get_adam_state, set_adam_state
from .base import DEFAULT_CLIP
from .checks import checked_number
from .torchjd_scalarizer import ScalarizerRule, derivative


class LearnedScalarizer(ScalarizerRule):
    """Base of the rules whose scalarizer has one parameter a task, learned by Adam on the scalar itself.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the parameters.
        clip: the smallest and the largest weight.
    """

    scalarizer: ClassVar[Callable[[int], Any]]
    """The class in TorchJD, called with the number of tasks."""

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        lr: float = 0.025,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        lr = checked_number("lr", lr, lambda value: value > 0, "a positive number")
        # One scalarizer a task: Adam skips an absent task's parameter only if it has no gradient at all.
        self.scalarizers = nn.ModuleList(type(self).scalarizer(1) for _ in self.tasks)
        self._adam = torch.optim.Adam(self.scalarizers.parameters(), lr=lr)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the objective at the losses."""
        return derivative(lambda values: self._objective(self._indices(tasks), values), losses)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Take a step of Adam at a step's losses."""
        self._adam.zero_grad()
        with torch.enable_grad():
            self._objective(self._indices(tasks), losses).backward()
        self._adam.step()
        self._adam.zero_grad()

    def _objective(self, indices: Sequence[int], losses: Tensor) -> Tensor:
        """Compute the objective of some tasks, a scalar."""
        terms = []
        for index, loss in zip(indices, losses.split(1), strict=True):
            scalarizer = self.scalarizers[index]
            terms.append(scalarizer(loss.to(next(scalarizer.parameters()))))
        return torch.stack(terms).sum()

    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | get_adam_state(self._adam)

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        set_adam_state(self._adam, state)
