"""Iso-C: the sum of the task vectors with all its singular values alike."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TensorGroup
from .reduction import Reduced, reduce
from .spectra import tolerance, truncated_svd


class IsoC(MergeOperator):
    r"""Add the task vectors, and replace every singular value of the sum by their mean.

        Σ_i w_i τ_i = U diag(σ) Vᵀ,    τ = mean(σ) U Vᵀ

    for the weights of linear layers. Other tensors are averaged: Σ w_i τ_i / T.

    Source: Marczak et al., 2025, arXiv 2502.04959. The weights are ours; 1 each, the default, gives the paper's method,
    another number for all is its α. Deviation: singular values that are rounding are left out of the mean and stay
    0, since their directions are arbitrary; a sum of full rank is treated as in the paper.

    Weights: w_i, of any sign.
    """

    name = "iso_c"
    summary = "adds the task vectors and makes all singular values of the sum alike"
    paper = "Marczak et al., 2025, arXiv 2502.04959"
    lossless = False
    matrices_only = True

    def precompute(self, vectors: Mapping[str, Tensor]) -> Reduced:
        """Return the task vectors in the coordinates of their joint rows and columns."""
        return reduce(vectors, {expert: truncated_svd(vector) for expert, vector in vectors.items()})

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return mean(σ) U Vᵀ."""
        reduced: Reduced = group.precomputed
        total = weighted_sum(reduced.cores, group.weights)
        left, values, right = truncated_svd(total, cutoff=tolerance(group.base))
        return reduced.expand(values.sum() / max(1, len(values)) * left @ right).float()
