"""Linear: the average of the models."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_mean
from .base import MergeOperator, TensorGroup


class Linear(MergeOperator):
    r"""Average the experts' weights.

        τ = Σ_i w_i τ_i / Σ_i w_i,    so that θ₀ + τ = Σ_i w_i θ_i / Σ_i w_i

    Source: model soups (Wortsman et al., 2022, arXiv 2203.05482), whose experts have one task. mergekit's `linear` is
    the same.

    Weights: only their ratios matter; equal by default.

    Relations: task arithmetic with weights that sum to 1.
    """

    name = "linear"
    summary = "the weighted average of the models"
    paper = "Wortsman et al., 2022, arXiv 2203.05482"
    normalized = True

    def coefficients(self, weights: Mapping[str, float], global_stats: Mapping[str, float]) -> dict[str, float]:
        """Return w_i / Σ w_i."""
        whole = sum(weights.values())
        return {expert: weight / whole for expert, weight in weights.items()}

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ w_i τ_i / Σ w_i."""
        return weighted_mean(group.vectors, group.weights)
