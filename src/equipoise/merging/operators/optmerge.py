"""OptMerge: WUDI on task vectors freed from noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .averaging import weighted_mean
from .base import Column, MergeOperator
from .options import checked_time
from .quadratic import least_disturbing, mean_one
from .reduction import Reduced, reduce, span
from .spectra import tolerance, truncated_svd


@dataclass(frozen=True)
class _State:
    """What does not depend on the weights.

    `rows` spans what all D_i read, in the coordinates of `reduced` (q × r; None: the identity); `readers` are
    D_i / ‖τ_i‖ in these, of experts that changed something.
    """

    reduced: Reduced
    rows: Tensor | None
    readers: dict[str, Tensor]


class OptMerge(MergeOperator):
    r"""Minimise how much the merged layer differs from each expert's, both without their small singular values.

        min_τ Σ_i w_i ‖(τ − τ̃_i) D_iᵀ‖²_F / ‖τ_i‖²_F
        τ̃_i = τ̄ + [τ_i − τ̄]_k,    D_i = [τ_i]_k,    τ̄ = Σ_i w_i τ_i / Σ_i w_i,    k = ⌊min(m, n) / T⌋, at least one

    for m × n weights of linear layers and T experts; [·]_k keeps the k largest singular values. It is approached from
    τ̄ along the gradient for some time. Other tensors are averaged.

    Source: Wei et al., 2025, arXiv 2505.19892, in the form for full fine-tuning; for LoRA the paper's code has
    τ̃_i = [τ_i]_k. The paper takes 300 steps of gradient descent; the path in closed form is that of its later code for
    WUDI. The weights are ours; equal ones give the paper's objective.

    Weights: only their ratios matter; equal by default.

    Args:
        time: how far along the gradient; a large number gives the minimum, which in task vectors of full rank blows up
            the directions that hardly any of them reads.

    Raises:
        UsageError: If the time is not above 0.
    """

    name = "optmerge"
    summary = "WUDI on task vectors without their small singular values"
    paper = "Wei et al., 2025, arXiv 2505.19892"
    normalised = True
    matrices_only = True

    def __init__(self, *, time: float = 300.0) -> None:
        self.time = checked_time(self.name, time)

    def prepare(self, vectors: Mapping[str, Tensor]) -> _State:
        """Return what does not depend on the weights."""
        triples = {expert: truncated_svd(vector) for expert, vector in vectors.items()}
        reduced = reduce(vectors, triples)
        rank = _rank(vectors)
        readers = {
            expert: values[:rank, None] * right[:rank] for expert, (_, values, right) in triples.items() if len(values)
        }
        if reduced.right is not None:
            readers = {expert: reader @ reduced.right for expert, reader in readers.items()}
        rows = span([reader.mT for reader in readers.values()]) if readers else None
        readers = {
            expert: (reader if rows is None else reader @ rows) / vectors[expert].double().norm()
            for expert, reader in readers.items()
        }
        return _State(reduced, rows, readers)

    def merge_tensor(self, column: Column) -> Tensor:
        """Return the minimum nearest to τ̄."""
        state: _State = column.prepared
        average = weighted_mean(column.vectors, column.weights)
        if not state.readers:
            return average
        cores = state.reduced.cores
        centre = weighted_mean(cores, column.weights).double()
        targets, grams = {}, {}
        weights = mean_one(column.weights)
        for expert, reader in state.readers.items():
            left, values, right = truncated_svd(
                cores[expert].double() - centre, _rank(column.vectors), tolerance(column.base)
            )
            right = right if state.rows is None else right @ state.rows
            targets[expert] = left * values @ right
            grams[expert] = weights[expert] * (reader.mT @ reader)
        # Counted from the centre, and in the rows that are read: nothing moves in others.
        start = torch.zeros_like(next(iter(targets.values())))
        moved = least_disturbing(targets, grams, start, tolerance(column.base) ** 2, self.time)
        moved = moved if state.rows is None else moved @ state.rows.mT
        return (average + state.reduced.expand(moved)).float()


def _rank(vectors: Mapping[str, Tensor]) -> int:
    """Return k."""
    return max(1, min(next(iter(vectors.values())).shape) // len(vectors))
