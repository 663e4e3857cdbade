"""WUDI: the merged layer that disturbs each expert least where its task vector reads."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_mean
from .base import Column, MergeOperator
from .quadratic import least_disturbing
from .reduction import Reduced, reduce
from .spectra import tolerance, truncated_svd


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

    def prepare(self, vectors: Mapping[str, Tensor]) -> Reduced:
        """Return the task vectors in the coordinates of their joint rows and columns.

        Their squares are left out: in a space that they fill, these are larger than the vectors.
        """
        return reduce(vectors, {expert: truncated_svd(vector) for expert, vector in vectors.items()})

    def merge_tensor(self, column: Column) -> Tensor:
        """Return the minimum."""
        reduced: Reduced = column.prepared
        cores = {expert: core.double() for expert, core in reduced.cores.items() if core.any()}
        average = weighted_mean(column.vectors, column.weights)
        if not cores:
            return average
        grams = {
            expert: column.weights[expert] * (core.mT @ core) / core.square().sum() for expert, core in cores.items()
        }
        start = weighted_mean(reduced.cores, column.weights).double()
        moved = least_disturbing(cores, grams, start, tolerance(column.base) ** 2) - start
        return (average + reduced.expand(moved)).float()
