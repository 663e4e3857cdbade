"""Fisher merging: a mean in which each number counts by how much its expert depends on it."""

import torch
from torch import Tensor

from .averaging import weighted_mean, weighted_sum
from .base import MergeOperator, TensorGroup


class Fisher(MergeOperator):
    r"""Average number by number, weighted by the diagonal of each expert's Fisher information.

        τ = Σ_i w_i F_i τ_i / Σ_i w_i F_i,    F_i = mean over examples of (∂ log p_i(y|x) / ∂θ)²

    Where no expert's F is above 0, and for tensors without statistics, it is the average (our design; the paper's code
    adds a small constant instead).

    Source: Matena and Raffel, 2021, arXiv 2111.09832.

    Needs the statistics "fisher". Weights: only their ratios matter; equal by default.
    """

    name = "fisher"
    summary = "averages number by number, weighted by each expert's Fisher information"
    paper = "Matena and Raffel, 2021, arXiv 2111.09832"
    statistics = "fisher"
    normalized = True

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ w_i F_i τ_i / Σ w_i F_i."""
        # In float64: squared gradients times task vectors fall below what float32 can hold.
        information = {expert: one.double() for expert, one in group.statistics.items()}
        pulls = {expert: group.vectors[expert] * information[expert] for expert in group.vectors}
        whole = weighted_sum(information, group.weights)
        average = weighted_mean(group.vectors, group.weights)
        return torch.where(whole > 0, weighted_sum(pulls, group.weights) / whole, average.double()).float()
