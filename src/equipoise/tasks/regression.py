"""The regression task kind: a continuous score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .base import LabelError, Task, parse_number


@dataclass(frozen=True)
class Regression(Task):
    """A score, standardised inside the model and reported in the user's units.

    Args:
        range: lowest and highest possible score in the user's units; predictions are clipped to it, and a
            label outside it is an error. None means unbounded.
        mean: mean of the training labels (found by `fit`).
        std: standard deviation of the training labels (found by `fit`).
    """

    kind: ClassVar[str] = "regression"
    metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman", "mse", "mae")

    range: tuple[float, float] | None = None
    mean: float = 0.0
    std: float = 1.0

    def parse(self, cell: Any) -> float:
        """Read a number within `range`."""
        number = parse_number(cell)
        if self.range is not None and not self.range[0] <= number <= self.range[1]:
            low, high = self.range
            raise LabelError(f"found {number:g}, expected a number from {low:g} to {high:g} (the task's range)")
        return number

    def fit(self, labels: Sequence[Any]) -> Self:
        """Take mean and standard deviation from the training labels."""
        if min(labels) == max(labels):
            raise LabelError(f"every training label is {labels[0]:g}, expected scores that differ")
        with np.errstate(over="ignore"):
            mean, std = float(np.mean(labels)), float(np.std(labels))
        # The model holds them in 32 bits, where they must be neither infinite nor zero.
        if not np.finfo(np.float32).tiny <= std <= np.finfo(np.float32).max:
            low, high = min(labels), max(labels)
            raise LabelError(f"the training labels go from {low:g} to {high:g}, expected scores nearer to 1 in size")
        return self.replace(mean=mean, std=std)

    def encode(self, label: Any) -> float:
        """Return the score as it is; the task module standardises it."""
        return float(label)
