"""Model Breadcrumbs: drop the largest and the smallest numbers, and add up."""

import torch
from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TensorGroup
from .options import checked_density, checked_option


class Breadcrumbs(MergeOperator):
    r"""Drop outliers and small numbers of each task vector, tensor by tensor, and add up.

        τ = Σ_i λ_i m_i ⊙ τ_i

    Of a tensor's n numbers m_i leaves out the ⌊gamma · n⌋ largest and keeps the ⌊density · n⌋ largest of the others
    (one at least). If there are not as many, fewer of the largest are left out.

    Source: Davari and Belilovsky, 2023, arXiv 2312.06795; its β is 1 − density − gamma. mergekit's `breadcrumbs` is
    the same but for the one number that is kept at least; gamma's default is from there, that of density is ours.

    Weights: λ_i, of any sign; 0.4 each by default, as in task arithmetic.

    Args:
        density: the share of numbers to keep, in (0, 1].
        gamma: the share of the largest numbers to leave out, in [0, 1).

    Raises:
        UsageError: If an option is outside its range.
    """

    name = "breadcrumbs"
    summary = "drops the largest and the smallest numbers of each tensor, adds up"
    paper = "Davari and Belilovsky, 2023, arXiv 2312.06795"
    lossless = False
    default_weight = 0.4

    def __init__(self, *, density: float = 0.15, gamma: float = 0.01) -> None:
        self.density = checked_density(self.name, density)
        self.gamma = checked_option(self.name, "gamma", gamma, lambda value: 0 <= value < 1, "in [0, 1)")

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ λ_i m_i ⊙ τ_i."""
        return weighted_sum({expert: self._mask(vector) for expert, vector in group.vectors.items()}, group.weights)

    def _mask(self, vector: Tensor) -> Tensor:
        numbers = vector.numel()
        kept = max(1, int(self.density * numbers))
        end = numbers - min(int(self.gamma * numbers), numbers - kept)
        chosen = vector.abs().flatten().argsort(stable=True)[end - kept : end]
        masked = torch.zeros_like(vector).flatten()
        masked[chosen] = vector.flatten()[chosen]
        return masked.reshape(vector.shape)
