"""OptMerge: WUDI on task vectors freed from noise."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .quadratic import descent
from .reduction import Reduced, reduce, span
from .spectra import tolerance, truncated_svd
from .wudi import WUDI


class OptMerge(WUDI):
    r"""Minimise how much the merged layer differs from each expert's, both without their small singular values.

        min_τ Σ_i ‖(τ − w_i τ̃_i) D_iᵀ‖²_F / ‖τ_i‖²_F
        τ̃_i = τ̄ + [τ_i − τ̄]_k,    D_i = [τ_i]_k,    τ̄ = Σ_i τ_i / T,    k = ⌊min(m, n) / T⌋, at least one

    for m × n weights of linear layers and T experts; [·]_k keeps the k largest singular values. It is approached from
    Σ_i w_i τ_i / T along the gradient for some time, which is Σ_i w_i C_i again. Other tensors are averaged as there.

    Source: Wei et al., 2025, arXiv 2505.19892, in the form for full fine-tuning; for LoRA the paper's code has
    τ̃_i = [τ_i]_k. The paper takes 300 steps of gradient descent; the path in closed form is that of its later code for
    WUDI. The weights are ours; 1 each, the default, gives the paper's objective.

    Weights: w_i, of any sign.

    Args:
        time: how far along the gradient; a large number gives the minimum, which in task vectors of full rank blows up
            the directions that hardly any of them reads.

    Raises:
        UsageError: If the time is not above 0.
    """

    name = "optmerge"
    summary = "WUDI on task vectors without their small singular values"
    paper = "Wei et al., 2025, arXiv 2505.19892"

    def precompute(self, vectors: Mapping[str, Tensor]) -> Reduced:
        """Return C_i − τ_i / T of each expert that changed something, in the coordinates of all."""
        triples = {expert: truncated_svd(vector) for expert, vector in vectors.items()}
        reduced = reduce(vectors, triples)
        first = next(iter(vectors.values()))
        rank = max(1, min(first.shape) // len(vectors))
        readers = {
            expert: values[:rank, None] * right[:rank] / vectors[expert].double().norm()
            for expert, (_, values, right) in triples.items()
            if len(values)
        }
        if not readers:
            return replace(reduced, cores={})
        if reduced.right is not None:
            readers = {expert: reader @ reduced.right for expert, reader in readers.items()}
        # Nothing moves in rows that none reads.
        rows = span([reader.mT for reader in readers.values()])
        if rows is None:
            rows = torch.eye(next(iter(readers.values())).shape[1], dtype=torch.float64, device=first.device)
        grams = {expert: (reader @ rows).mT @ (reader @ rows) for expert, reader in readers.items()}
        whole = torch.stack(list(grams.values())).sum(0)
        way = descent(whole, tolerance(first) ** 2, self.time)
        cores = {expert: core.double() for expert, core in reduced.cores.items()}
        centre = torch.stack(list(cores.values())).mean(0)
        moved = {}
        for expert, gram in grams.items():
            left, values, right = truncated_svd(cores[expert] - centre, rank, tolerance(first))
            target = (centre + left * values @ right) @ rows
            pull = target @ gram - cores[expert] @ rows @ whole / len(vectors)
            moved[expert] = (pull @ way @ rows.mT).float()
        return replace(reduced, cores=moved)
