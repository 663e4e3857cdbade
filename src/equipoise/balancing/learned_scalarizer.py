"""Scalarizers with one learned number per task."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP
from .learned_scalars import LearnedScalars
from .torchjd_balancers import TorchJDScalarizer, derivative


class LearnedScalarizer(TorchJDScalarizer):
    """Base of the balancers whose scalarizer has one parameter per task, learned by Adam on the scalar itself.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the parameters.
        clip: the smallest and the largest weight.
    """

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        lr: float = 0.025,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        lr = checked_number("lr", lr, lambda value: value > 0, "a positive number")
        self._learned = LearnedScalars(len(self.tasks), start=0.0, lr=lr)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the objective at the losses."""
        return derivative(self._scalarizer_of(tasks), losses)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Take a step of Adam at a step's losses."""
        scalarizer = self._scalarizer_of(tasks)
        with torch.enable_grad():
            (slopes,) = torch.autograd.grad(scalarizer(losses), list(scalarizer.parameters()))
        self._learned.adam_step(self._indices(tasks), slopes)

    def _scalarizer_of(self, tasks: Sequence[str]) -> Any:
        """Make TorchJD's scalarizer of some tasks."""
        scalarizer = self._make_scalarizer(len(tasks)).double()
        (parameter,) = scalarizer.parameters()
        with torch.no_grad():
            parameter.copy_(self._learned.values(self._indices(tasks)))
        return scalarizer

    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | self._learned.state()

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._learned.load(state)
