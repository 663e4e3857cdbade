"""RegMean: linear layers that answer on each expert's inputs as the expert does."""

import torch
from torch import Tensor

from .averaging import weighted_mean
from .base import MergeOperator, TensorGroup
from .options import checked_option
from .quadratic import descent
from .spectra import tolerance


class RegMean(MergeOperator):
    r"""Find the linear layer whose outputs are nearest to each expert's, on the expert's own inputs.

        min_W Σ_i w_i tr((W − W_i) Ĝ_i (W − W_i)ᵀ),    Ĝ_i = α G_i + (1 − α) diag(G_i),    G_i = Σ x xᵀ
        τ = (Σ_i w_i τ_i Ĝ_i)(Σ_i w_i Ĝ_i)⁻¹

    with W out × in. Where inputs never go, so that the sum has no inverse, the minimum nearest to the experts' average
    is taken, in units in which all inputs are equally large (our design). Tensors without statistics are averaged, as
    in the paper.

    Source: Jin et al., 2022, arXiv 2212.09849; its α of 0.9, which shrinks what is off the diagonal, is the default.
    The weights are ours; equal ones give the paper's method. G_i is a sum over rows: experts with more inputs count
    more.

    Needs the statistics "inputs". Weights: only their ratios matter; equal by default.

    Args:
        off_diagonal: α, in [0, 1]; 1 leaves G_i as it is.

    Raises:
        UsageError: If `off_diagonal` is outside its range.
    """

    name = "regmean"
    summary = "linear layers that answer on each expert's inputs as the expert does"
    paper = "Jin et al., 2022, arXiv 2212.09849"
    statistics = "inputs"
    normalized = True

    def __init__(self, *, off_diagonal: float = 0.9) -> None:
        self.off_diagonal = checked_option(
            self.name, "off_diagonal", off_diagonal, lambda value: 0 <= value <= 1, "in [0, 1]"
        )

    def merge_tensor(self, group: TensorGroup) -> Tensor:
        """Return the minimum."""
        grams = {}
        for expert in group.vectors:
            gram = group.weights[expert] * group.statistics[expert].double()
            grams[expert] = self.off_diagonal * gram + (1 - self.off_diagonal) * gram.diagonal().diag()
        # In units in which all inputs are equally large: a few huge ones must not make the others count as rounding.
        sizes = torch.stack(list(grams.values())).sum(0).diagonal().clamp_min(0).sqrt()
        sizes = torch.where(sizes > 0, sizes, torch.ones_like(sizes))
        vectors = {expert: vector.double() * sizes for expert, vector in group.vectors.items()}
        grams = {expert: gram / sizes / sizes[:, None] for expert, gram in grams.items()}
        start = weighted_mean(group.vectors, group.weights).double() * sizes
        pull = torch.stack([(vectors[expert] - start) @ gram for expert, gram in grams.items()]).sum(0)
        whole = torch.stack(list(grams.values())).sum(0)
        return ((start + pull @ descent(whole, tolerance(group.base))) / sizes).float()
