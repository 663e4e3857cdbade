"""TIES: trim, elect signs, and average those who agree."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from .base import MergeOperator, TaskVector, TensorGroup
from .options import checked_choice, checked_density, checked_scale
from .sign_consensus import consensus_mean
from .trimming import trim_threshold


class TIES(MergeOperator):
    r"""Trim each task vector to its largest numbers, elect a sign for each, and average those who have it.

        τ̂_i = τ_i where |τ_i| is among the `density` largest, else 0
        τ = scale · Σ_{i∈A} w_i τ̂_i / Σ_{i∈A} w_i,    A = {i: sgn(τ̂_i) = sgn(Σ_j w_j τ̂_j) ≠ 0}, number by number

    Source: Yadav et al., 2023, arXiv 2306.01708, which keeps the largest 20 % of the whole vector and has scale
    1 where there is nothing to tune on. The weights are ours; equal ones give the paper's method.

    Where implementations differ: mergekit trims each tensor for itself (`trim="tensor"` here) and lets an exact tie
    elect the positive sign; the paper's code lets it elect the majority of all signs; here, as by the paper's
    formula, it elects none, and the number is 0.

    Weights: only their ratios matter; equal by default.

    Args:
        density: the share of numbers to keep, in (0, 1].
        scale: the paper's λ, above 0.
        trim: "model": the largest of the whole task vector; "tensor": of each tensor.

    Raises:
        UsageError: If an option is outside its range.
    """

    name = "ties"
    summary = "trims to the largest numbers, elects signs, averages those who agree"
    paper = "Yadav et al., 2023, arXiv 2306.01708"
    normalized = True
    lossless = False

    def __init__(self, *, density: float = 0.2, scale: float = 1.0, trim: str = "model") -> None:
        self.density = checked_density(self.name, density)
        self.scale = checked_scale(self.name, scale)
        self.trim = checked_choice(self.name, "trim", trim, ("model", "tensor"))

    def global_stats(
        self, vectors: Mapping[str, TaskVector], linear: Collection[str] | None = None
    ) -> dict[str, float]:
        """Return the smallest magnitude that is kept of each expert, if all tensors are trimmed together."""
        if self.trim == "tensor":
            return {}
        sizes = {tensor: values.numel() for vector in vectors.values() for tensor, values in vector.items()}
        whole = sum(sizes.values())
        return {expert: trim_threshold(vector.values(), whole, self.density) for expert, vector in vectors.items()}

    def precompute(self, vectors: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the smallest magnitude that is kept of each expert, if each tensor is trimmed for itself."""
        if self.trim == "model":
            return {}
        return {expert: trim_threshold([vector], vector.numel(), self.density) for expert, vector in vectors.items()}

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return the scaled mean of the trimmed vectors that have the elected sign."""
        thresholds = group.global_stats if self.trim == "model" else group.precomputed
        trimmed = {
            expert: torch.where(vector.abs() >= thresholds[expert], vector, torch.zeros_like(vector))
            for expert, vector in group.vectors.items()
        }
        return self.scale * consensus_mean(trimmed, group.weights)
