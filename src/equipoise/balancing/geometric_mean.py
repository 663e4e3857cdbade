"""The geometric mean of the losses."""

from collections.abc import Sequence

from torch import Tensor

from .torchjd_balancers import TorchJDScalarizer, derivative

_TINY = 1e-8


class GeometricMean(TorchJDScalarizer):
    r"""Minimize the geometric mean of the losses (GLS, Chennupati et al., 2019, arXiv 1904.08492).

        (Π_t L_t)^(1/P)    over the P tasks present,

    TorchJD's `GeometricMean`. Its derivative at L_t is proportional to 1 / L_t.

    Deviations from the paper: the weights are scaled to sum to P, where the derivative's own scale, the geometric
    mean over P, would shrink the steps as the losses fall. A loss of 0, which has no logarithm, counts as 1e-8.

    Inputs: losses alone, none of them negative.

    Relations: `UncertaintyWeighting` and `ImpartialLosses` tend to the same weights; `FAMO` starts from them.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import GeometricMean
        >>> balance = GeometricMean(["score", "polarity"])
        >>> loss = balance({"score": torch.tensor([3.0]), "polarity": torch.tensor([1.0])})
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.5, 'polarity': 1.5}
    """

    rescaling = "compensates"
    paper = "Chennupati et al., 2019, arXiv 1904.08492"
    scalarizer = "GeometricMean"

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the geometric mean."""
        return derivative(self._make_scalarizer(), losses.where(losses != 0, _TINY))
