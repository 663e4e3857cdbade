"""Smooth Tchebycheff scalarization: the largest loss, smoothed."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP
from .input_checks import checked_numbers
from .torchjd_balancers import TorchJDScalarizer, derivative


class SmoothTchebycheff(TorchJDScalarizer):
    r"""Minimize a smoothed maximum of the losses (STCH, Lin et al., 2024, arXiv 2402.19078).

        μ log Σ_t exp(λ_t (L_t - z_t) / μ),

    TorchJD's `STCH`: λ are preferences with sum 1 over the tasks present, z the least losses one can hope for, μ the
    smoothness. The derivative at L_t, the weight before scaling, is λ_t softmax(λ (L - z) / μ)_t.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present. As in TorchJD the losses
    themselves are compared; the authors' code for multi-task learning takes log(L_t / z_t) instead, z the mean losses
    of a warm-up, where units do not matter. Here they do: give `weights` where losses have different units.

    Inputs: losses alone.

    Relations: with a large μ static weights, with a small one training on the worst task alone.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        mu: μ, positive; our choice, from the middle of what the paper tries (0.01 to 1).
        weights: λ up to scale, by task, positive; 1 by default.
        reference: z by task; 0 by default.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import SmoothTchebycheff
        >>> balance = SmoothTchebycheff(["score", "polarity"], mu=0.5)
        >>> loss = balance({"score": torch.tensor([1.0]), "polarity": torch.tensor([2.0])})
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.54, 'polarity': 1.46}
    """

    paper = "Lin et al., 2024, arXiv 2402.19078"
    scalarizer = "STCH"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        mu: float = 0.1,
        weights: Mapping[str, float] | None = None,
        reference: Mapping[str, float] | None = None,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        self._mu = checked_number("mu", mu, lambda value: value > 0, "a positive number")
        positive = "a positive number"
        self._lambda = checked_numbers("weights", weights, self.tasks, 1.0, lambda value: value > 0, positive)
        self._reference = checked_numbers("reference", reference, self.tasks, 0.0, lambda _: True, "a number")

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the smoothed maximum."""
        rows = self._indices(tasks)
        preferences = self._lambda[rows] / self._lambda[rows].sum()
        return derivative(self._make_scalarizer(self._mu, preferences, self._reference[rows]), losses)
