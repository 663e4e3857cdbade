"""Static weights: numbers chosen once."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from equipoise.checks import checked_number

from .base import Balancer
from .input_checks import check_names


class StaticWeights(Balancer):
    r"""Weigh the tasks by fixed numbers.

        w_t = P α_t / Σ_s α_s    over the P tasks present.

    Only the ratios of α matter, since weights sum to the number of tasks present; they are not clipped.

    Inputs: losses alone.

    Relations: `EqualWeights` is the case of equal numbers.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        weights: α, a positive number for every task.

    Raises:
        ValueError: If a task has no weight, a weight no task, or a weight is not positive.

    Example:
        >>> import torch
        >>> from equipoise.balancing import StaticWeights
        >>> balance = StaticWeights(["score", "polarity"], weights={"score": 3.0, "polarity": 1.0})
        >>> balance({"score": torch.tensor([1.0, 3.0]), "polarity": torch.tensor([0.5])})
        tensor(3.2500)
        >>> balance.weights
        {'score': 1.5, 'polarity': 0.5}
    """

    rescaling = "ignores"
    paper = "numbers of your own"

    def __init__(self, tasks: Mapping[str, str] | Sequence[str], *, weights: Mapping[str, float]) -> None:
        super().__init__(tasks, clip=(0.0, math.inf))
        if not isinstance(weights, Mapping):
            raise ValueError(f"`weights` must map every task to a number. Found {weights!r}.")
        check_names(self.tasks, weights=weights)
        missing = [task for task in self.tasks if task not in weights]
        if missing:
            raise ValueError(f"`weights` must map every task to a number. There is none for {', '.join(missing)}.")
        self._alpha = {
            task: checked_number(
                f"weights['{task}']",
                weights[task],
                lambda weight: weight > 0,
                "a positive number (to train without a task, leave it out of the tasks)",
            )
            for task in self.tasks
        }

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return α."""
        return losses.new_tensor([self._alpha[task] for task in tasks])
