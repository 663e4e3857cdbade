"""Iso-C: the sum of the task vectors with all its singular values alike."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator
from .spectra import truncated_svd


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

    def merge_tensor(
        self,
        vectors: Mapping[str, Tensor],
        weights: Mapping[str, float],
        base: Tensor,
        statistics: Mapping[str, Tensor],
        survey: Mapping[str, float],
        seed: int,
    ) -> Tensor:
        """Return mean(σ) U Vᵀ."""
        left, values, right = truncated_svd(weighted_sum(vectors, weights))
        return (values.sum() / max(1, len(values)) * left @ right).float()
