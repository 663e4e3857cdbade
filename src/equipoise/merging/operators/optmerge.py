"""OptMerge: WUDI on task vectors freed from noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .averaging import weighted_mean
from .base import Column, MergeOperator
from .quadratic import least_disturbing
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

    for m × n weights of linear layers and T experts; [·]_k keeps the k largest singular values. Of all minima the one
    nearest to τ̄ is taken. Other tensors are averaged.

    Source: Wei et al., 2025, arXiv 2505.19892, in the form for full fine-tuning; for LoRA the paper's code has
    τ̃_i = [τ_i]_k. The weights are ours; equal ones give the paper's objective. Deviation: the minimum in closed form,
    where the paper takes 300 steps of gradient descent (our design).

    Weights: only their ratios matter; equal by default.
    """

    name = "optmerge"
    summary = "WUDI on task vectors without their small singular values"
    paper = "Wei et al., 2025, arXiv 2505.19892"
    normalised = True
    matrices_only = True

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
        for expert, reader in state.readers.items():
            left, values, right = truncated_svd(
                cores[expert].double() - centre, _rank(column.vectors), tolerance(column.base)
            )
            right = right if state.rows is None else right @ state.rows
            targets[expert] = left * values @ right
            grams[expert] = column.weights[expert] * (reader.mT @ reader)
        # Counted from the centre, and in the rows that are read: nothing moves in others.
        start = torch.zeros_like(next(iter(targets.values())))
        moved = least_disturbing(targets, grams, start, tolerance(column.base) ** 2)
        moved = moved if state.rows is None else moved @ state.rows.mT
        return (average + state.reduced.expand(moved)).float()


def _rank(vectors: Mapping[str, Tensor]) -> int:
    """Return k."""
    return max(1, min(next(iter(vectors.values())).shape) // len(vectors))
