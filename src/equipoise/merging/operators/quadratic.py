"""The matrix that disturbs experts the least, and the way there, in closed form."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


def mean_one(weights: Mapping[str, float]) -> dict[str, float]:
    """Scale weights so that their mean is 1, which makes a time mean the same whatever their scale."""
    scale = len(weights) / sum(weights.values())
    return {expert: weight * scale for expert, weight in weights.items()}


def least_disturbing(
    vectors: Mapping[str, Tensor], grams: Mapping[str, Tensor], start: Tensor, tolerance: float, time: float = math.inf
) -> Tensor:
    r"""Follow the gradient of ½ Σ_i tr((X − τ_i) G_i (X − τ_i)ᵀ) downwards from S for some time.

        X(t) = S + (Σ_i (τ_i − S) G_i) φ_t(Σ_i G_i),    φ_t(λ) = (1 − e^{−λt}) / λ on eigenvalues above 0

    X(∞) is the minimum; where Σ_i G_i is singular, of all minima the one nearest to S. Directions of small eigenvalues
    are those that hardly anything is known of, and the last to be reached.

    Args:
        vectors: τ_i of each expert, m × n, float64.
        grams: G_i of each expert, n × n, symmetric and positive semi-definite, float64.
        start: S, m × n, float64.
        tolerance: the share of the largest eigenvalue of Σ_i G_i below which one counts as 0.
        time: t.

    Returns:
        X, m × n, float64.
    """
    pull = sum(((vectors[expert] - start) @ gram for expert, gram in grams.items()), torch.zeros_like(start))
    whole = torch.stack(list(grams.values())).sum(0)
    values, directions = torch.linalg.eigh(whole)
    known = values > tolerance * values[-1]
    values, directions = values[known], directions[:, known]
    return start + (pull @ directions) * (-torch.expm1(-values * time) / values) @ directions.mT
