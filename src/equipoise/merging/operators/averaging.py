"""Sums and means of experts' tensors."""

from collections.abc import Mapping

import torch
from torch import Tensor


def weighted_sum(vectors: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return Σ w_i τ_i, of the vectors' shape."""
    total = torch.zeros_like(next(iter(vectors.values())))
    for expert, vector in vectors.items():
        total.add_(vector, alpha=weights[expert])
    return total


def weighted_mean(vectors: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return Σ w_i τ_i / Σ w_i, of the vectors' shape."""
    whole = sum(weights[expert] for expert in vectors)
    return weighted_sum(vectors, {expert: weights[expert] / whole for expert in vectors})
