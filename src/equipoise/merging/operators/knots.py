"""KnOTS: task vectors brought to one basis, and merged there."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .base import MergeOperator, TaskVector, TensorGroup, is_matrix
from .dare_ties import DARETIES
from .options import checked_choice
from .spectra import tolerance, truncated_svd
from .ties import TIES

_INNER: dict[str, type[TIES] | type[DARETIES]] = {"ties": TIES, "dare_ties": DARETIES}


class KnOTS(MergeOperator):
    r"""Bring all task vectors to the basis of their joint outputs, and merge them there by TIES or DARE-TIES.

        [τ_1 … τ_T] = U diag(s) [V_1 … V_T]ᵀ,    τ = U · inner(diag(s) V_1ᵀ, …, diag(s) V_Tᵀ)

    for the weights of linear layers; other tensors are merged by the inner operator as they are. TIES trims over the
    blocks of all tensors together.

    Source: Stoica et al., 2024, arXiv 2410.19735. Deviation: singular values count as 0 by their share of the largest
    (float32's rounding), where the paper's code has the bound 1e-5 whatever the size of the task vectors.

    Weights: only their ratios matter; equal by default.

    Args:
        inner: "ties" or "dare_ties".
        density: the share of numbers that the inner operator keeps, in (0, 1]; its own default if None.
        scale: a factor on the result, above 0.

    Raises:
        UsageError: If an option is outside its range.
    """

    name = "knots"
    summary = "brings task vectors to one basis and merges them there by TIES or DARE-TIES"
    paper = "Stoica et al., 2024, arXiv 2410.19735"
    normalized = True
    lossless = False
    matrices_only = True

    def __init__(self, *, inner: str = "ties", density: float | None = None, scale: float = 1.0) -> None:
        operator = _INNER[checked_choice(self.name, "inner", inner, _INNER)]
        self.inner = operator(scale=scale) if density is None else operator(density=density, scale=scale)
        self.random = self.inner.random

    def global_stats(
        self, vectors: Mapping[str, TaskVector], linear: Collection[str] | None = None
    ) -> dict[str, float]:
        """Return the inner operator's global statistics, in the joint bases."""
        if isinstance(self.inner, DARETIES):
            return {}
        shapes = {tensor: values for vector in vectors.values() for tensor, values in vector.items()}
        moved: dict[str, dict[str, Tensor]] = {expert: {} for expert in vectors}
        for tensor, example in shapes.items():
            columns = {
                expert: vector.get(tensor, torch.zeros_like(example)).detach().float()
                for expert, vector in sorted(vectors.items())
            }
            if is_matrix(tensor, example, linear):
                _, columns = _joint(columns)
            for expert, column in columns.items():
                moved[expert][tensor] = column
        return self.inner.global_stats(moved)

    def precompute(self, vectors: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the joint basis and every expert's block in it."""
        return _joint(vectors)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return U times the merged blocks."""
        basis, blocks = group.precomputed
        merged = self.inner.merge_tensor(replace(group, vectors=blocks))
        return basis @ merged

    def merge_other(self, group: TensorGroup) -> Tensor:
        """Return what the inner operator makes of a tensor that is no matrix."""
        return self.inner.merge_tensor(group)


def _joint(vectors: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return U (m × r) and the blocks diag(s) V_iᵀ (r × n), float32."""
    one = next(iter(vectors.values()))
    left, values, right = truncated_svd(torch.cat(list(vectors.values()), dim=1), cutoff=tolerance(one))
    blocks = (values[:, None] * right).float().split(one.shape[1], dim=1)
    return left.float(), dict(zip(vectors, blocks, strict=True))
