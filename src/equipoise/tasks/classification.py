"""The classification task kind: one of several classes."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .base import LabelError, Task, parse_number, quote, show


@dataclass(frozen=True)
class Classification(Task):
    """One class of several, given as a label or cut from a score.

    Args:
        classes: the class names in order; empty until `fit` finds them in the training labels (sorted,
            numbers by value).
        from_score: the labels are scores that thresholds cut into the classes.
        thresholds: ascending cut points, one fewer than classes; a score on a threshold belongs to the class
            above it. Empty with `from_score` means automatic: `fit` sets them at the quantiles of the
            training scores that make the classes as equal in size as the scores allow (our design).
    """

    kind: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy")

    classes: tuple[str, ...] = ()
    from_score: bool = False
    thresholds: tuple[float, ...] = ()

    def parse(self, cell: Any) -> float | str:
        """Read a score where the classes are cut from one, else a class name."""
        if self.from_score:
            return parse_number(cell)
        if cell is None or (isinstance(cell, float) and cell != cell):
            raise LabelError(f"found {show(cell)}, expected a class")
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        name = str(cell).strip()
        if not name:
            raise LabelError("found an empty label, expected a class")
        if self.classes and name not in self.classes:
            raise LabelError(f"found class {show(name)}, expected one of {quote(self.classes)}")
        if not self.classes and name.lower() == "nan":
            raise LabelError(f"found {show(name)}, expected a class (if it is one, list all in `classes`)")
        return name

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes, or automatic thresholds, in the training labels."""
        task = self
        if self.from_score:
            if not self.thresholds:
                task = self.replace(thresholds=_balanced_thresholds(labels, len(self.classes)))
        elif not self.classes:
            task = self.replace(classes=tuple(sorted(set(labels), key=_by_value)))
        present = {task.encode(label) for label in labels}
        if len(present) < 2:
            only = task.classes[present.pop()]
            raise LabelError(f"every training label is '{only}', expected two classes or more")
        return task

    def encode(self, label: Any) -> int:
        """Return the class index of a parsed label."""
        if self.from_score:
            return bisect_right(self.thresholds, label)
        try:
            return self.classes.index(label)
        except ValueError:
            raise LabelError(
                f"found class {show(label)}, which train does not have, expected one of {quote(self.classes)}"
            ) from None


def _by_value(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def _balanced_thresholds(scores: Sequence[float], n_classes: int) -> tuple[float, ...]:
    """Cut scores into classes of near equal size, never between equal scores (our design)."""
    values, counts = np.unique(np.asarray(scores, dtype=float), return_counts=True)
    if len(values) < n_classes:
        raise LabelError(f"thresholds: auto found {len(values)} different scores, expected {n_classes} or more")
    below = np.cumsum(counts)[:-1] / counts.sum()
    middles = (values[:-1] + values[1:]) / 2
    cuts: list[int] = []
    for k in range(1, n_classes):
        # Leave room for the cuts that follow, so that every class keeps at least one score.
        first = cuts[-1] + 1 if cuts else 0
        last = len(middles) - (n_classes - 1 - k)
        cuts.append(first + int(np.argmin(np.abs(below[first:last] - k / n_classes))))
    return tuple(float(middles[cut]) for cut in cuts)
