"""Singular values and what is made of them, in float64."""

import torch
from torch import Tensor


def tolerance(matrix: Tensor) -> float:
    """Return the share of the largest singular value below which one is rounding in float32: max(m, n) · ε."""
    return max(matrix.shape) * torch.finfo(torch.float32).eps


def truncated_svd(matrix: Tensor, rank: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (m × k), s (k) and Vᵀ (k × n) of a matrix (m × n), in float64.

    Singular values that are rounding are left out, since their vectors are arbitrary: k is the numerical rank, or
    `rank` if that is smaller, and 0 for a matrix of zeros.
    """
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    kept = int((values > tolerance(matrix) * values[:1]).sum())
    if rank is not None:
        kept = min(kept, rank)
    return left[:, :kept], values[:kept], right[:kept]


def polar_factor(matrix: Tensor) -> Tensor:
    """Return the nearest matrix with orthonormal columns: PQᵀ for the SVD PDQᵀ.

    If columns depend on each other it is the partial isometry on their span: no arbitrary direction is added.
    """
    left, _, right = truncated_svd(matrix)
    return left @ right
