"""WUDI: the merged layer that disturbs each expert least where its task vector reads."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .averaging import weighted_sum
from .base import MergeOperator, TensorGroup
from .options import checked_time
from .quadratic import descent
from .reduction import Reduced, reduce
from .spectra import tolerance, truncated_svd


class WUDI(MergeOperator):
    r"""Minimise how much the merged layer differs from each expert's along the expert's own task vector.

        min_τ Σ_i ‖(τ − w_i τ_i) τ_iᵀ‖²_F / ‖τ_i‖²_F
        τ = (Σ_i w_i τ_i G_i)(Σ_i G_i)⁺,    G_i = τ_iᵀ τ_i / ‖τ_i‖²_F

    for the weights of linear layers, whose rows span what their inputs were. Other tensors are averaged: Σ w_i τ_i / T
    over T experts.

    The minimum is approached from that average along the gradient for some time: where task vectors have full rank, the
    minimum itself blows up the directions that hardly any of them reads. Wherever it stops the result is Σ_i w_i C_i,
    and a search over weights makes the C_i once.

    Source: Cheng et al., 2025, arXiv 2503.08099, who take 300 steps of Adam from the sum of the task vectors. The path
    in closed form is that of the code by Wei et al., 2026, for arXiv 2505.19892 (SWUDI without its truncation,
    which starts from the sum by default). The weights are ours; 1 each, the default, gives the paper's objective.

    Weights: w_i, of any sign.

    Args:
        time: how far along the gradient; a large number gives the minimum.

    Raises:
        UsageError: If the time is not above 0.
    """

    name = "wudi"
    summary = "disturbs each expert least where its task vector reads"
    paper = "Cheng et al., 2025, arXiv 2503.08099"
    matrices_only = True

    def __init__(self, *, time: float = 300.0) -> None:
        self.time = checked_time(self.name, time)

    def precompute(self, vectors: Mapping[str, Tensor]) -> Reduced:
        """Return C_i − τ_i / T of each expert that changed something, in the coordinates of all.

        The squares of singular values are left out of these: in a space that task vectors fill, they are larger.
        """
        reduced = reduce(vectors, {expert: truncated_svd(vector) for expert, vector in vectors.items()})
        cores = {expert: core.double() for expert, core in reduced.cores.items() if core.any()}
        if not cores:
            return replace(reduced, cores={})
        grams = {expert: core.mT @ core / core.square().sum() for expert, core in cores.items()}
        whole = torch.stack(list(grams.values())).sum(0)
        way = descent(whole, tolerance(next(iter(vectors.values()))) ** 2, self.time)
        moved = {
            expert: ((core @ grams[expert] - core @ whole / len(vectors)) @ way).float()
            for expert, core in cores.items()
        }
        return replace(reduced, cores=moved)

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return Σ_i w_i C_i."""
        average = self.merge_other(group)
        reduced: Reduced = group.precomputed
        if not reduced.cores:
            return average
        return average.add_(reduced.expand(weighted_sum(reduced.cores, group.weights).double()).float())
