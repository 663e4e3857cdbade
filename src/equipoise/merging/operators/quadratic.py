"""The way down a quadratic, in closed form."""

import math

import torch
from torch import Tensor


def descent(gram: Tensor, tolerance: float, time: float = math.inf) -> Tensor:
    r"""Return what leads from the gradient of a quadratic to where following it for some time ends.

        f(X) = ½ Σ_i tr((X − τ_i) G_i (X − τ_i)ᵀ),    X(t) = S − ∇f(S) φ_t(Σ_i G_i)
        φ_t(λ) = (1 − e^{−λt}) / λ on eigenvalues above 0, and 0 on others

    X(∞) is the minimum; where Σ_i G_i is singular, of all minima the one nearest to S. Directions of small eigenvalues
    are those that hardly anything is known of, and the last to be reached.

    Args:
        gram: Σ_i G_i, n × n, symmetric and positive semi-definite, float64.
        tolerance: the share of the largest eigenvalue below which one counts as 0.
        time: t.

    Returns:
        φ_t(Σ_i G_i), n × n, float64.
    """
    values, directions = torch.linalg.eigh(gram)
    known = values > tolerance * values[-1]
    values, directions = values[known], directions[:, known]
    return directions * (-torch.expm1(-values * time) / values) @ directions.mT
