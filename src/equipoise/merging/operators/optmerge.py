"""OptMerge: WUDI on task vectors freed from noise."""

from collections.abc import Mapping

from torch import Tensor

from .averaging import weighted_mean
from .base import MergeOperator
from .quadratic import least_disturbing
from .spectra import tolerance, truncated_svd


class OptMerge(MergeOperator):
    r"""Minimise how much the merged layer differs from each expert's, both without their small singular values.

        min_τ Σ_i w_i ‖(τ − τ̃_i) D_iᵀ‖²_F / ‖τ_i‖²_F
        τ̃_i = τ̄ + [τ_i − τ̄]_k,    D_i = [τ_i]_k,    τ̄ = Σ_i w_i τ_i / Σ_i w_i,    k = ⌊min(m, n) / T⌋, at least one

    for m × n weights of linear layers and T experts; [·]_k keeps the k largest singular values. Of all minima the one
    nearest to τ̄ is taken. Other tensors are averaged.

    Source: Wei et al., 2025, arXiv 2505.19892, in the form for full fine-tuning; for LoRA the paper's code has
    τ̃_i = [τ_i]_k. The weights are ours; equal ones give the paper's objective. Deviation: the minimum in closed form,
    where the paper takes 300 steps of gradient descent (our design).

    Weights: only their ratios matter; equal by default.
    """

    name = "optmerge"
    summary = "WUDI on task vectors without their small singular values"
    paper = "Wei et al., 2025, arXiv 2505.19892"
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
        """Return the minimum nearest to τ̄."""
        rank = max(1, min(base.shape) // len(vectors))
        centre = weighted_mean(vectors, weights).double()
        targets, grams = {}, {}
        for expert, vector in vectors.items():
            if not vector.any():
                continue
            left, values, right = truncated_svd(vector.double() - centre, rank)
            targets[expert] = centre + left * values @ right
            _, values, right = truncated_svd(vector, rank)
            grams[expert] = weights[expert] * (right.mT * values.square() @ right) / vector.double().square().sum()
        if not grams:
            return centre.float()
        return least_disturbing(targets, grams, centre, tolerance(base) ** 2).float()
