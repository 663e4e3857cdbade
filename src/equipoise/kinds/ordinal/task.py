"""The ordinal task kind: one of several classes that have an order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import is_number, name_key, normalize

from ..calibration import scale_ranks
from ..class_task import ClassTask
from ..labels import LabelError, find_class_problem, order_names, parse_name, quote, show


@dataclass(frozen=True)
class Ordinal(ClassTask):
    """One class of several that have an order, such as one to five stars.

    Trained by CORN (Shi, Cao and Raschka 2021, arXiv 2111.08851): for each class but the highest, a model says how
    probable a higher one is, given that it is not a lower one. The predicted class is the median of the class
    probabilities: the lowest class above which at most half of the probability lies. That is the paper's rule, and what
    the expected distance in ranks is smallest for.

    Args:
        classes: the classes from the lowest to the highest. Empty, for labels that are numbers, until `fit` finds them
            in the training labels, ordered by value. A listed class may be on no training row: its place in the order
            is known all the same.
        decisions: how many of the conditional outputs a training label decides, on average (found by `fit`): a label
            decides the outputs up to its own class. The loss of a row is divided by it.
        verbalize: by class what a language model is to answer; a class that is left out stands for itself.
    """

    kind: ClassVar[str] = "ordinal"
    metrics: ClassVar[tuple[str, ...]] = ("qwk", "rank_mae", "accuracy", "macro_f1", "ece", "brier")
    primary_metrics: ClassVar[tuple[str, ...]] = ("qwk", "accuracy", "macro_f1", "macro_recall")
    item_metric: ClassVar[str] = "rank_mae"
    averages_seeds: ClassVar[bool] = False
    explained_unit: ClassVar[str] = "ranks"
    default_questions: ClassVar[tuple[str, ...]] = (
        "What is the {task} of the text above{towards}? Answer with one of, from lowest to highest: {labels}.",
        "Rate the {task} of this text{towards}: {labels}.",
        "Which {task} does the text above have{towards}, on the scale {labels}?",
        "Read the text above and name its {task}{towards}. The options, in order, are {labels}.",
    )

    decisions: float = 1.0

    def parse(self, cell: Any) -> Any:
        """Read a class name; a number where the classes are not listed."""
        name = parse_name(cell)
        if not self.classes and not is_number(normalize(name)):
            raise LabelError(
                f"found {show(name)}, expected a number; classes that are no numbers are listed in the run file, from "
                "the lowest to the highest (classes)"
            )
        return super().parse(cell)

    def label_contradiction(self, trained: Self) -> str:
        """Say whether the classes, which are in order, are others than those of a trained model."""
        if self.classes and [*map(name_key, self.classes)] != [*map(name_key, trained.classes)]:
            return f"classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        return ""

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes in the training labels, and how many outputs a label decides."""
        task = self if self.classes else self.replace(classes=order_names(set(labels)))
        task = task._resolve(labels)
        last = len(task.classes) - 2
        decided = [min(task.encode(label), last) + 1 for label in labels]
        return task.replace(decisions=sum(decided) / len(decided))

    def merge(self, labels: Sequence[Any]) -> Any:
        """Return the median, the lower one of two (our design)."""
        ranked = sorted(labels, key=self.encode if self.classes else lambda name: float(normalize(name)))
        return ranked[(len(ranked) - 1) // 2]

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "median taken, the lower of two"

    @property
    def summary(self) -> str:
        """What it predicts, with the ends of the scale."""
        return f"{self.kind}, {self.classes[0]} to {self.classes[-1]}" if self.classes else self.kind

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn class probabilities, shape (n, classes), into 1 for the median class and 0 for the others."""
        return np.eye(len(self.classes), dtype=np.int8)[median_class(predictions)]

    def scale(self, predictions: npt.NDArray[Any], temperature: float) -> npt.NDArray[Any]:
        """Return probabilities whose median class stays; see `scale_ranks`."""
        return scale_ranks(predictions, temperature)

    def choose_class(self, prediction: npt.NDArray[Any]) -> int:
        """Return the median class."""
        return int(median_class(prediction[None])[0])

    def explained(self, prediction: Any) -> dict[str, int]:
        """Explain the expected rank."""
        return {"expected_rank": 0}

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the median class, the expected rank from 1 to the number of classes, and all probabilities."""
        found = super().answer(prediction)
        rank = float(np.clip(np.dot(prediction, np.arange(1.0, len(self.classes) + 1)), 1, len(self.classes)))
        return {"label": found["label"], "expected_rank": rank, "probabilities": found["probabilities"]}

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if not (math.isfinite(self.decisions) and self.decisions >= 1):
            return f"decisions: found {self.decisions}, expected a number from 1 up"
        return super().find_problem() or find_class_problem(self.classes, 2, (), (0,))


def median_class(probabilities: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return the lowest class above which at most half of the probability lies.

    Args:
        probabilities: of the classes in order, shape (n, classes).
    """
    above = 1 - np.cumsum(probabilities[:, :-1], axis=1, dtype=np.float64)
    return np.asarray((above > 0.5).sum(axis=1))
