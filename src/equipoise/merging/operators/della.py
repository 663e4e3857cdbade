"""DELLA: drop small numbers more often, elect signs, and average those who agree."""

import torch
from torch import Tensor

from .base import MergeOperator, TensorGroup
from .options import checked_density, checked_option, checked_scale
from .seeding import drop
from .sign_consensus import consensus_mean


class DELLA(MergeOperator):
    r"""Drop numbers at random, the small ones more often; rescale those that stay, elect signs, and average.

        q = (density − ε) + 2ε · r,    r from 0 for the smallest to 1 for the largest magnitude of the row
        τ̂_i = m_i ⊙ τ_i / q_i,    m_i ~ Bernoulli(q_i), number by number
        τ = scale · Σ_{i∈A} w_i τ̂_i / Σ_{i∈A} w_i,    A = {i: sgn(τ̂_i) = sgn(Σ_j w_j τ̂_j) ≠ 0}

    A row is what a tensor has for one index of its first dimension; a vector is one row; a number alone has r = ½.

    Source: Deep et al., 2024, arXiv 2406.11617. Its window of drop rates is 2ε wide here, as in mergekit, whose ε of
    0.15 is the default. The default density is our choice.

    Where implementations differ: mergekit's `della` rescales each tensor to its former L1 norm instead of each number
    by 1 / q; in tensors of three dimensions and more it ranks along the second.

    Weights: only their ratios matter; equal by default.

    Args:
        density: the share of numbers to keep on average, in (0, 1].
        epsilon: ε, 0 or more; keep probabilities are density ± ε and must lie in (0, 1]. Not used for density 1.
        scale: the paper's λ, above 0.

    Raises:
        UsageError: If an option is outside its range.
    """

    name = "della"
    summary = "drops small numbers more often, rescales the others, elects signs, averages those who agree"
    paper = "Deep et al., 2024, arXiv 2406.11617"
    normalized = True
    lossless = False
    random = True

    def __init__(self, *, density: float = 0.5, epsilon: float = 0.15, scale: float = 1.0) -> None:
        self.density = checked_density(self.name, density)
        self.epsilon = checked_option(
            self.name,
            "epsilon",
            epsilon if self.density < 1 else 0.0,
            lambda value: 0 <= value <= 1 - self.density and value < self.density,
            f"0 or more, below the density and at most 1 − density (density is {self.density:g})",
        )
        self.scale = checked_scale(self.name, scale)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return the scaled mean of the dropped and rescaled vectors that have the elected sign."""
        kept = {
            expert: drop(vector, self._keep(vector), group.seed, expert) for expert, vector in group.vectors.items()
        }
        return self.scale * consensus_mean(kept, group.weights)

    def _keep(self, vector: Tensor) -> Tensor:
        """Return q, of the vector's shape."""
        rows = vector.reshape(len(vector), -1) if vector.dim() > 1 else vector.reshape(1, -1)
        ranks = rows.abs().argsort(dim=1, stable=True).argsort(dim=1).to(rows.dtype)
        last = rows.shape[1] - 1
        share = ranks / last if last > 0 else torch.full_like(rows, 0.5)
        return ((self.density - self.epsilon) + 2 * self.epsilon * share).reshape(vector.shape)
