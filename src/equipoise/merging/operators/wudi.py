"""WUDI: the merged layer that disturbs each expert least where its task vector reads."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_mean
from .base import Column, MergeOperator
from .options import checked_time
from .quadratic import least_disturbing, mean_one
from .reduction import Reduced, reduce
from .spectra import tolerance, truncated_svd


class WUDI(MergeOperator):
    r"""Minimise how much the merged layer differs from each expert's along the expert's own task vector.

        min_τ Σ_i w_i ‖(τ − τ_i) τ_iᵀ‖²_F / ‖τ_i‖²_F
        τ = (Σ_i w_i τ_i τ_iᵀ τ_i / ‖τ_i‖²)(Σ_i w_i τ_iᵀ τ_i / ‖τ_i‖²)⁺

    for the weights of linear layers, whose rows span what their inputs were. Other tensors are averaged.

    The minimum is approached from the average along the gradient for some time: where task vectors have full rank, the
    minimum itself blows up the directions that hardly any of them reads.

    Source: Cheng et al., 2025, arXiv 2503.08099, who take 300 steps of Adam from the sum of the task vectors. The path
    in closed form is that of the code by Wei et al., 2026, for arXiv 2505.19892 (SWUDI without its truncation,
    which starts from the sum by default). The weights are ours; equal ones give the paper's objective.

    Weights: only their ratios matter; equal by default.

    Args:
        time: how far along the gradient; a large number gives the minimum.

    Raises:
        UsageError: If the time is not above 0.
    """

    name = "wudi"
    summary = "disturbs each expert least where its task vector reads"
    paper = "Cheng et al., 2025, arXiv 2503.08099"
    normalised = True
    matrices_only = True

    def __init__(self, *, time: float = 300.0) -> None:
        self.time = checked_time(self.name, time)

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
        weights = mean_one(column.weights)
        grams = {expert: weights[expert] * (core.mT @ core) / core.square().sum() for expert, core in cores.items()}
        start = weighted_mean(reduced.cores, column.weights).double()
        moved = least_disturbing(cores, grams, start, tolerance(column.base) ** 2, self.time) - start
        return (average + reduced.expand(moved)).float()
