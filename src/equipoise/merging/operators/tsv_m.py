"""TSV-M: each expert's main singular directions, made orthogonal to the others'."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .base import MergeOperator, TensorGroup
from .spectra import polar_factor, truncated_svd


class TSVM(MergeOperator):
    r"""Put the main singular triples of all experts side by side, and make their directions orthogonal.

        τ_i ≈ U_i Σ_i V_iᵀ with k = ⌊min(m, n) / T⌋ triples, at least one;    U = [U_1 … U_T],    V = [V_1 … V_T]
        τ = polar(U) diag(w_1 Σ_1, …, w_T Σ_T) polar(V)ᵀ,    polar(PDQᵀ) = PQᵀ

    for m × n weights of linear layers and T experts. Other tensors are averaged: Σ w_i τ_i / T.

    Source: Gargiulo et al., 2024, arXiv 2412.00081. The weights are ours; 1 each, the default, gives the paper's
    method, another number for all is its α. Deviation: triples whose singular value is rounding are left out, and so is
    what polar factors would add beyond the span of the directions, since both are arbitrary; task vectors of full
    rank in general position are merged as in the paper.

    Weights: w_i, of any sign.
    """

    name = "tsv_m"
    summary = "puts each expert's main singular directions side by side and makes them orthogonal"
    paper = "Gargiulo et al., 2024, arXiv 2412.00081"
    matrices_only = True

    def precompute(self, vectors: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Return polar(U), Σ_i of each expert, and polar(V), in float32: all but the weights."""
        rank = max(1, min(next(iter(vectors.values())).shape) // len(vectors))
        triples = {expert: truncated_svd(vector, rank) for expert, vector in vectors.items()}
        left = torch.cat([left for left, _, _ in triples.values()], dim=1)
        right = torch.cat([right.mT for _, _, right in triples.values()], dim=1)
        values = {expert: values.float() for expert, (_, values, _) in triples.items()}
        return polar_factor(left).float(), values, polar_factor(right).float()

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return polar(U) Σ polar(V)ᵀ."""
        left, values, right = group.precomputed
        weighted = torch.cat([group.weights[expert] * one for expert, one in values.items()])
        return left * weighted @ right.mT
