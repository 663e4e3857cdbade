"""Metrics of classes that a task names, such as the F1 of irony; they are the primary metric of some leaderboards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import Floats, Metric, Statistic, occurrences_and_hits


def name_metric(name: str, classes: Sequence[str] = ()) -> str:
    """Return what tables and records call a metric: "f1(irony)" where it is one of named classes."""
    return f"{name}({', '.join(classes)})" if classes else name


@dataclass(frozen=True)
class ClassMetric:
    """A metric of named classes, higher is better, 1 is perfect.

    Args:
        label: its name in tables, before those of the classes.
        several: whether it is of several classes, else of one.
        prepare: maps gold, predictions and the indices of the classes to a statistic; see `Metric.prepare`.
    """

    label: str
    several: bool
    prepare: Callable[[npt.NDArray[Any], npt.NDArray[Any], Sequence[int]], Statistic]

    @property
    def form(self) -> str:
        """What follows its name in the run file."""
        return "[CLASS, CLASS, …]" if self.several else "CLASS"

    def of(self, names: str, classes: Sequence[int] | None = None) -> Metric:
        """Return the metric of some classes.

        Args:
            names: what tables call the classes.
            classes: their indices; without them there is a label, and nothing can be scored.
        """

        def prepare(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
            if classes is None:
                raise TypeError(f"{self.label} of {names}: ask `make_metric`, which knows the task's classes")
            return self.prepare(gold, predictions, classes)

        return Metric(f"{self.label} of {names}", True, prepare)


def class_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any], classes: Sequence[int]) -> Statistic:
    """Prepare the mean of F1 over some classes, or labels.

    A class that occurs in neither gold nor predictions counts as 0: all that are named count, always. So does
    scikit-learn's `f1_score(labels=classes, average="macro")`.
    """
    count, chosen = occurrences_and_hits(gold, predictions), list(classes)

    def statistic(counts: Floats) -> Floats:
        occurrences, hits = count(counts)
        return np.asarray((2 * hits[:, chosen] / np.maximum(occurrences[:, chosen], 1)).mean(axis=1))

    return statistic


CLASS_METRICS = {"f1": ClassMetric("F1", False, class_f1), "mean_f1": ClassMetric("mean F1", True, class_f1)}
"""By their names in run files."""


def find_shape_problem(name: str, classes: Sequence[str]) -> str:
    """Say what is wrong with the classes that a metric is given; "" if nothing is.

    Args:
        name: of one of `CLASS_METRICS`.
        classes: the classes.
    """
    several = CLASS_METRICS[name].several
    if several == (len(classes) > 1) and len(set(classes)) == len(classes):
        return ""
    return f"found {list(classes)} for {name}, expected {'two or more different classes' if several else 'one class'}"
