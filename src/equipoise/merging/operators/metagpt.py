"""MetaGPT: task arithmetic with factors from the task vectors' norms."""

from collections.abc import Collection, Mapping

from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TaskVector, TensorGroup


class MetaGPT(MergeOperator):
    r"""Add the task vectors, each with its share of all squared norms.

        τ = Σ_i w_i λ_i τ_i,    λ_i = ‖τ_i‖² / Σ_k ‖τ_k‖²,    norms over the whole vector

    Source: Zhou et al., 2024, arXiv 2406.11385, which derives λ without data from task vectors that are orthogonal and
    a loss that is quadratic around the base. The weights w_i are ours; 1 each, the default, gives the paper's method.

    Weights: w_i, of any sign.
    """

    name = "metagpt"
    summary = "adds the task vectors, each with its share of all squared norms"
    paper = "Zhou et al., 2024, arXiv 2406.11385"

    def global_stats(
        self, vectors: Mapping[str, TaskVector], linear: Collection[str] | None = None
    ) -> dict[str, float]:
        """Return ‖τ_i‖² of each expert."""
        return {
            expert: sum(float(values.detach().double().square().sum()) for values in vector.values())
            for expert, vector in vectors.items()
        }

    def coefficients(self, weights: Mapping[str, float], global_stats: Mapping[str, float]) -> dict[str, float]:
        """Return w_i λ_i."""
        whole = sum(global_stats.values()) or 1.0
        return {expert: weight * global_stats.get(expert, 0.0) / whole for expert, weight in weights.items()}

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ w_i λ_i τ_i."""
        return weighted_sum(group.vectors, self.coefficients(group.weights, group.global_stats))
