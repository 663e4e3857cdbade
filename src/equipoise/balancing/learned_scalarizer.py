"""Scalarizers with one learned number a task."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from .base import DEFAULT_CLIP
from .checks import checked_number
from .learned_numbers import LearnedNumbers
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
        self._learned = LearnedNumbers(len(self.tasks), start=0.0, lr=lr)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the objective at the losses."""
        return derivative(self._rule(tasks), losses)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Take a step of Adam at a step's losses."""
        rule = self._rule(tasks)
        with torch.enable_grad():
            (slopes,) = torch.autograd.grad(rule(losses), list(rule.parameters()))
        self._learned.descend(self._indices(tasks), slopes)

    def _rule(self, tasks: Sequence[str]) -> Any:
        """Make TorchJD's object for some tasks."""
        rule = type(self).scalarizer(len(tasks)).double()
        (parameter,) = rule.parameters()
        parameter.data.copy_(self._learned.take(self._indices(tasks)))
        return rule

    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | self._learned.state()

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._learned.load(state)
