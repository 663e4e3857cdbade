"""WUDI: the merged layer that disturbs each expert least where its task vector reads."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_mean
from .base import MergeOperator
from .quadratic import least_disturbing
from .spectra import tolerance


class WUDI(MergeOperator):
    r"""Minimise how much the merged layer differs from each expert's along the expert's own task vector.

        min_τ Σ_i w_i ‖(τ − τ_i) τ_iᵀ‖²_F / ‖τ_i‖²_F
        τ = (Σ_i w_i τ_i τ_iᵀ τ_i / ‖τ_i‖²)(Σ_i w_i τ_iᵀ τ_i / ‖τ_i‖²)⁺

    for the weights of linear layers, whose rows span what their inputs were. Other tensors are averaged.

    Source: Cheng et al., 2025, arXiv 2503.08099. The weights are ours; equal ones give the paper's objective.
    Deviation: the minimum itself in closed form (our design), where the paper takes 300 steps of Adam from the sum of
    the task vectors, and so ends somewhere between the two.

    Weights: only their ratios matter; equal by default.
    """

    name = "wudi"
    summary = "disturbs each expert least where its task vector reads"
    paper = "Cheng et al., 2025, arXiv 2503.08099"
    normalised = True
    matrices_only = True

    def merge_tensor(
        self,
        vectors: Mapping[str, Tensor],
        weights: Mapping[str, float],
        base: Tensor,
        statistics: Mapping[str, Tensor],
        survey: Mapping[str, float],
        seed: int,
    ) -> Tensor:
        """Return the minimum."""
        columns = {expert: vector.double() for expert, vector in vectors.items()}
        grams = {
            expert: weights[expert] * (column.mT @ column) / column.square().sum()
            for expert, column in columns.items()
            if column.any()
        }
        start = weighted_mean(vectors, weights).double()
        if not grams:
            return start.float()
        return least_disturbing(columns, grams, start, tolerance(base) ** 2).float()
