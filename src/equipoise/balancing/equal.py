"""Equal weights: the baseline that every other balancer has to beat."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .base import Balancer


class EqualWeights(Balancer):
    r"""Weigh all tasks equally.

        Σ_t L_t

    A strong baseline when tuned as carefully as what it is compared with (Kurin et al., 2022, arXiv 2201.04122).

    Inputs: losses alone.

    Relations: `StaticWeights` with equal numbers, `DynamicAdaptiveLoss(task_weights=False)` without example weights.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.

    Example:
        >>> import torch
        >>> from equipoise.balancing import EqualWeights
        >>> balance = EqualWeights(["score", "polarity"])
        >>> balance({"score": torch.tensor([1.0, 3.0]), "polarity": torch.tensor([0.5])})
        tensor(2.5000)
        >>> balance.weights
        {'score': 1.0, 'polarity': 1.0}
    """

    rescaling = "ignores"
    paper = "Kurin et al., 2022, arXiv 2201.04122"

    def __init__(self, tasks: Mapping[str, str] | Sequence[str]) -> None:
        super().__init__(tasks)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return ones."""
        return torch.ones_like(losses)
