"""DARE with task arithmetic: drop numbers at random, rescale the others, add up."""

from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TensorGroup
from .options import checked_density
from .seeding import drop


class DARELinear(MergeOperator):
    r"""Drop numbers of each task vector at random, rescale those that stay, and add up.

        τ = Σ_i λ_i m_i ⊙ τ_i / density,    m_i ~ Bernoulli(density), number by number

    In expectation it is task arithmetic.

    Source: Yu et al., 2023, arXiv 2311.03099 (drop rate 1 − density; 90 % and more do little harm to large models).

    Where implementations differ: mergekit's `dare_linear` rescales each tensor to its former L1 norm, so that the
    factor is 1 / density on average only, and draws from torch's global random state.

    Weights: λ_i, of any sign; 0.4 each by default, as in task arithmetic.

    Args:
        density: the share of numbers to keep, in (0, 1].

    Raises:
        UsageError: If the density is outside its range.
    """

    name = "dare_linear"
    summary = "drops numbers at random, rescales the others, adds up"
    paper = "Yu et al., 2023, arXiv 2311.03099"
    lossless = False
    random = True
    default_weight = 0.4

    def __init__(self, *, density: float = 0.1) -> None:
        self.density = checked_density(self.name, density)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ λ_i m_i ⊙ τ_i / density."""
        kept = {expert: drop(vector, self.density, group.seed, expert) for expert, vector in group.vectors.items()}
        return weighted_sum(kept, group.weights)
