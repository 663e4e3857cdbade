"""Task arithmetic: what the experts learnt, added up."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TensorGroup


class TaskArithmetic(MergeOperator):
    r"""Add the task vectors.

        τ = Σ_i λ_i τ_i

    Source: Ilharco et al., 2022, arXiv 2212.04089, with one λ for all, which it tunes on held-out data. mergekit's
    `task_arithmetic` is the same.

    Weights: λ_i, of any sign: a negative one takes a skill away. 0.4 each by default, the value that the TIES paper
    (arXiv 2306.01708) takes where there is nothing to tune on.
    """

    name = "task_arithmetic"
    summary = "the weighted sum of the task vectors"
    paper = "Ilharco et al., 2022, arXiv 2212.04089"
    default_weight = 0.4

    def coefficients(self, weights: Mapping[str, float], global_stats: Mapping[str, float]) -> dict[str, float]:
        """Return the weights."""
        return dict(weights)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ λ_i τ_i."""
        return weighted_sum(group.vectors, group.weights)
