"""The sign that most of the weight is on, number by number, and the mean of the experts that have it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .averaging import weighted_sum


def consensus_mean(vectors: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    r"""Return the mean of the experts that have the consensus sign, number by number.

        s = sgn(Σ_i w_i τ_i),    A = {i: sgn(τ_i) = s ≠ 0},    Σ_{i∈A} w_i τ_i / Σ_{i∈A} w_i

    The result is 0 where nobody is in A: an exact tie elects no sign.

    Source: Yadav et al., 2023, arXiv 2306.01708. The weights are ours: equal ones give the paper's signs and mean.

    Args:
        vectors: τ_i of each expert, one shape, trimmed or dropped numbers being 0.
        weights: w_i, above 0.
    """
    sign = weighted_sum(vectors, weights).sign()
    total, mass = torch.zeros_like(sign), torch.zeros_like(sign)
    for expert, vector in vectors.items():
        agrees = vector * sign > 0
        total.add_(torch.where(agrees, vector, torch.zeros_like(vector)), alpha=weights[expert])
        mass.add_(agrees.to(mass.dtype), alpha=weights[expert])
    return torch.where(mass > 0, total / mass, torch.zeros_like(total))
