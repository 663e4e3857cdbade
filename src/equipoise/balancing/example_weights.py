"""Label statistics, and example weights that lift rare labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from .clipping import bounded

WEIGHTED_KINDS = ("classification", "regression")
"""Kinds of task that have label statistics and example weights."""
OTHER_KINDS = ("", "multilabel", "generation")
"""Kinds without example weights; "" is a task of which no kind was given."""


@dataclass(frozen=True, eq=False)
class LabelStats:
    """How often each label of a task occurs.

    Attributes:
        kind: `"classification"` or `"regression"`.
        counts: float64, shape (C,): the number of labels in each class, or in each bin of a regression's
            range.
        low: a regression's smallest label; unused by classes.
        width: the width of a bin, in the label's units; unused by classes.

    Examples:
        >>> from equipoise.balancing import LabelStats
        >>> LabelStats.fit("classification", [0, 0, 0, 1]).counts.tolist()
        [3.0, 1.0]
    """

    kind: str
    counts: Tensor
    low: float = 0.0
    width: float = 0.0

    @classmethod
    def fit(cls, kind: str, labels: Sequence[Any] | Tensor, *, bins: int = 100) -> Self:
        """Count the labels of the training split.

        Args:
            kind: `"classification"` or `"regression"`.
            labels: class indices, or scores; shape (n,), any array.
            bins: bins of a regression's range.

        Raises:
            ValueError: If there are no labels, a class is not an index, a score is not finite, or the kind
                has none.
        """
        values = torch.as_tensor(labels).detach().cpu().flatten()
        if kind not in WEIGHTED_KINDS:
            raise ValueError(f"There are no label statistics for the kind '{kind}', only for {WEIGHTED_KINDS}.")
        if len(values) == 0:
            raise ValueError("There are no labels to count.")
        if kind == "classification":
            if values.is_floating_point() or values.min() < 0:
                raise ValueError("The labels of a classification must be class indices: integers from 0 on.")
            return cls(kind, torch.bincount(values).double())
        if not values.isfinite().all():
            raise ValueError("The labels of a regression must be finite numbers.")
        low, high = values.min().item(), values.max().item()
        empty = cls(kind, torch.zeros(bins, dtype=torch.float64), low, (high - low) / bins)
        return cls(kind, torch.bincount(empty.index(values), minlength=bins).double(), low, empty.width)

    @property
    def _counts_classes(self) -> bool:
        return self.kind == WEIGHTED_KINDS[0]

    def index(self, labels: Tensor) -> Tensor:
        """Return the class or bin of each label; scores beyond the range belong to its outer bins."""
        if self._counts_classes:
            return labels.clamp(max=len(self.counts))
        if self.width == 0:
            return torch.zeros_like(labels, dtype=torch.long)
        return ((labels - self.low) / self.width).long().clamp(0, len(self.counts) - 1)


def example_weight_table(stats: LabelStats, *, beta: float = 0.999, temper: float = 0.5, limit: float = 10.0) -> Tensor:
    """Compute the weight of an example by its class or bin.

    A class with n_c labels weighs by its effective number, (1 - β) / (1 - β^n_c) (Cui et al., 2019,
    arXiv 1901.05555). A score weighs by its smoothed label density p̃, p̃^(-γ) (label distribution
    smoothing, Yang et al., 2021, arXiv 2102.09554; they use γ = 1 or ½).

    Our design: the kernel's width follows Silverman's rule, 0.9 σ n^(-1/5), instead of being a number of
    bins; the mean over the label distribution is 1, and no weight exceeds `limit`.

    Args:
        stats: the labels' statistics.
        beta: β in [0, 1). 0 weighs all classes alike; the closer to 1, the closer to inverse frequency.
        temper: γ in [0, 1]; 0 weighs all scores alike.
        limit: the largest weight, at least 1, which is the mean.

    Returns:
        float64, shape (C,) for bins, (C + 1,) for classes: the last entry is for classes that were never
        counted.
    """
    counts = stats.counts
    if stats._counts_classes:
        counts = torch.cat([counts, counts.new_zeros(1)])
        table = (1 - beta) / (1 - beta ** counts.clamp(min=1))
    else:
        table = _smoothed(counts).pow(-temper)
    return bounded(table, 0.0, limit, share=counts / counts.sum())


def _smoothed(counts: Tensor) -> Tensor:
    """Smooth a histogram; an empty bin counts as the rarest filled one."""
    # Here, so that balancers without example weights need torch and numpy alone.
    from scipy.ndimage import gaussian_filter1d

    total = counts.sum()
    bins = torch.arange(len(counts), dtype=torch.float64)
    mean = counts @ bins / total
    spread = (counts @ (bins - mean).square() / total).sqrt()
    if spread == 0:
        return counts.clamp(min=total.item())
    smooth = torch.as_tensor(gaussian_filter1d(counts.numpy(), float(0.9 * spread * total**-0.2)))
    return smooth.clamp(min=smooth[counts > 0].min().item())
