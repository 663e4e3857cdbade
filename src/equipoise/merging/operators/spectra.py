"""Singular values and what is made of them, in float64."""

import torch
from torch import Tensor


def tolerance(matrix: Tensor) -> float:
    """Return the share of the largest singular value below which one is rounding in float32: max(m, n) · ε."""
    return max(matrix.shape) * torch.finfo(torch.float32).eps


def truncated_svd(
    matrix: Tensor, rank: int | None = None, cutoff: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (m × k), s (k, falling) and Vᵀ (k × n) of a matrix (m × n), in float64.

    Singular values that are rounding are left out, since their vectors are arbitrary: k is the numerical rank, or
    `rank` if that is smaller, and 0 for a matrix of zeros.

    They come from the eigenvectors of AAᵀ or AᵀA, whichever is smaller, in a third of an SVD's time. Squaring costs
    digits that are rounding in float32 anyway.

    Args:
        matrix: the matrix.
        rank: the most singular values to return.
        cutoff: the share of the largest singular value up to which one is rounding; `tolerance` of the matrix if None.
    """
    if cutoff is None:
        cutoff = tolerance(matrix)
    if matrix.shape[0] > matrix.shape[1]:
        right, values, left = truncated_svd(matrix.mT, rank, cutoff)
        return left.mT, values, right.mT
    matrix = matrix.double()
    squares, left = torch.linalg.eigh(matrix @ matrix.mT)
    values, left = squares.clamp_min(0).sqrt().flip(0), left.flip(1)
    kept = int((values > cutoff * values[:1]).sum())
    if rank is not None:
        kept = min(kept, rank)
    left, values = left[:, :kept], values[:kept]
    return left, values, left.mT @ matrix / values[:, None]


def polar_factor(matrix: Tensor) -> Tensor:
    """Return the nearest matrix with orthonormal columns: PQᵀ for the SVD PDQᵀ.

    If columns depend on each other it is the partial isometry on their span: no arbitrary direction is added.
    """
    left, _, right = truncated_svd(matrix)
    return left @ right
