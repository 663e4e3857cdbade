"""Dynamic weight average: tasks whose losses fall slowly weigh more."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP, Balancer

_TINY = 1e-12


class DynamicWeightAverage(Balancer):
    r"""Weigh each task by how slowly its loss falls from epoch to epoch (DWA, Liu et al., 2019, arXiv 1803.10704).

        w ∝ softmax(r / τ),    r_t = L_t(e-1) / L_t(e-2)

    L_t(e) is the mean loss of task t over the steps of epoch e in which it was present, τ the temperature. Without two
    such epochs r_t is 1, so that all weights are alike in the first two. A task that is absent for an epoch keeps its
    r_t.

    Deviations from the paper: means below 1e-12 count as this, so that a loss of 0 can be divided by.

    Inputs: losses alone. Call `after_step` after every `optimizer.step()` and `on_epoch_end` after every epoch. A run
    of fewer than three epochs has equal weights.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        temperature: τ, positive; the larger, the more even are the weights.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import DynamicWeightAverage
        >>> balance = DynamicWeightAverage(["score", "polarity"])
        >>> for score in (4.0, 1.0, 1.0):
        ...     loss = balance({"score": torch.tensor([score]), "polarity": torch.tensor([1.0])})
        ...     balance.after_step()
        ...     balance.on_epoch_end()
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.81, 'polarity': 1.19}
    """

    rescaling = "ignores"
    paper = "Liu, Johns and Davison, 2019, arXiv 1803.10704"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        temperature: float = 2.0,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        self._temperature = checked_number("temperature", temperature, lambda value: value > 0, "a positive number")
        count = len(self.tasks)
        self._state = {
            # By task: the sum of this epoch's losses, and of how many steps.
            "epoch": torch.zeros(2, count, dtype=torch.float64),
            # The mean losses of the last epoch but one, and of the last; NaN before.
            "means": torch.full((2, count), torch.nan, dtype=torch.float64),
        }

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the softmax of the rates."""
        means = self._state["means"][:, self._indices(tasks)]
        before, last = means.clamp(min=_TINY).where(~means.isnan().any(0), 1.0)
        return torch.softmax(last / before / self._temperature, dim=0)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Add a step's losses to those of the epoch."""
        self._state["epoch"][:, self._indices(tasks)] += torch.stack([losses, torch.ones_like(losses)])

    def on_epoch_end(self) -> None:
        """Make this epoch's mean losses the last ones."""
        sums, steps = self._state["epoch"]
        means = self._state["means"]
        self._state["means"] = torch.where(steps > 0, torch.stack([means[1], sums / steps]), means)
        self._state["epoch"] = torch.zeros_like(self._state["epoch"])
