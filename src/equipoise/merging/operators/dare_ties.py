"""DARE with TIES: drop numbers at random, rescale the others, elect signs, and average those who agree."""

from torch import Tensor

from .base import MergeOperator, TensorGroup
from .options import checked_density, checked_scale
from .seeding import drop
from .sign_consensus import consensus_mean


class DARETIES(MergeOperator):
    r"""Drop numbers of each task vector at random, rescale those that stay, elect signs, and average.

        τ̂_i = m_i ⊙ τ_i / density,    m_i ~ Bernoulli(density), number by number
        τ = scale · Σ_{i∈A} w_i τ̂_i / Σ_{i∈A} w_i,    A = {i: sgn(τ̂_i) = sgn(Σ_j w_j τ̂_j) ≠ 0}

    Source: Yu et al., 2023, arXiv 2311.03099, and Yadav et al., 2023, arXiv 2306.01708. TIES' trimming is left out, as
    in mergekit and peft: with the default density fewer numbers stay than TIES would keep.

    Where implementations differ: mergekit's `dare_ties` rescales each tensor to its former L1 norm instead of by
    1 / density, and sums those who agree instead of averaging them.

    Weights: only their ratios matter; equal by default.

    Args:
        density: the share of numbers to keep, in (0, 1].
        scale: a factor on the result, above 0.

    Raises:
        UsageError: If an option is outside its range.
    """

    name = "dare_ties"
    summary = "drops numbers at random, rescales the others, elects signs, averages those who agree"
    paper = "Yu et al., 2023, arXiv 2311.03099"
    normalized = True
    lossless = False
    random = True

    def __init__(self, *, density: float = 0.1, scale: float = 1.0) -> None:
        self.density = checked_density(self.name, density)
        self.scale = checked_scale(self.name, scale)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return the scaled mean of the dropped and rescaled vectors that have the elected sign."""
        kept = {expert: drop(vector, self.density, group.seed, expert) for expert, vector in group.vectors.items()}
        return self.scale * consensus_mean(kept, group.weights)
