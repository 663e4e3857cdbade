"""The matrix that disturbs experts the least, in closed form."""

from collections.abc import Mapping

import torch
from torch import Tensor


def least_disturbing(
    vectors: Mapping[str, Tensor], grams: Mapping[str, Tensor], start: Tensor, tolerance: float
) -> Tensor:
    r"""Minimise Σ_i tr((X − τ_i) G_i (X − τ_i)ᵀ) over X.

        X = S + (Σ_i (τ_i − S) G_i)(Σ_i G_i)⁺

    Where Σ_i G_i is singular there are many minima; this one is nearest to the start S, and what steepest descent from
    S tends to.

    Args:
        vectors: τ_i of each expert, m × n, float64.
        grams: G_i of each expert, n × n, symmetric and positive semi-definite, float64.
        start: S, m × n, float64.
        tolerance: the share of the largest eigenvalue of Σ_i G_i below which one counts as 0.

    Returns:
        X, m × n, float64.
    """
    pull = sum(((vectors[expert] - start) @ gram for expert, gram in grams.items()), torch.zeros_like(start))
    whole = torch.stack(list(grams.values())).sum(0)
    return start + pull @ torch.linalg.pinv(whole, rtol=tolerance, hermitian=True)
