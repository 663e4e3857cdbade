"""The classification task kind: one of several classes."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key

from ..calibration import MIN_ROWS
from ..class_task import ClassTask
from ..labels import LabelError, find_class_problem, order_names, parse_number, quote
from .deciding import choose_weights

DECISIONS = ("argmax", "macro_f1")
"""By what a class can be chosen."""


@dataclass(frozen=True)
class Classification(ClassTask):
    """One class of several, given as a label or cut from a score.

    Args:
        classes: the class names in order; empty until `fit` finds them in the training labels (sorted,
            numbers by value).
        from_score: the labels are scores that thresholds cut into the classes.
        thresholds: ascending cut points, one fewer than classes; a score on a threshold belongs to the class
            above it. Empty with `from_score` means automatic: `fit` sets them at the quantiles of the
            training scores that make the classes as equal in size as the scores allow (our design).
        verbalize: by class what a language model is to answer; a class that is left out stands for itself.
        decision: by what a class is chosen: "argmax", its probability; "macro_f1", also weights that `tune` chooses.
        class_weights: by what probabilities are multiplied before a class is chosen; none for the most probable one.
    """

    kind: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy", "ece", "brier")
    primary_metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy", "macro_recall")
    item_metric: ClassVar[str] = "accuracy"
    default_questions: ClassVar[tuple[str, ...]] = (
        "What is the {task} of the text above{towards}? Answer with one of: {labels}.",
        "Choose the {task} of this text{towards}: {labels}.",
        "Which {task} does the text above have{towards}, {labels}?",
        "Read the text above and name its {task}{towards}. The options are {labels}.",
    )

    from_score: bool = False
    thresholds: tuple[float, ...] = ()
    decision: str = "argmax"
    class_weights: tuple[float, ...] = ()

    def parse(self, cell: Any) -> float | str:
        """Read a score where the classes are cut from one, else a class name."""
        return parse_number(cell) if self.from_score else super().parse(cell)

    @property
    def takes_numbers(self) -> bool:
        """Whether a label cell holds a number: where the classes are cut from a score."""
        return self.from_score

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the class's name; none where it is cut from a score."""
        return () if self.from_score else super().names(label)

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the class's new name."""
        return label if self.from_score else super().rename(label, names)

    def classes_of(self, label: Any) -> tuple[str, ...]:
        """Return the class, also one that is cut from a score; see `Inspecting`."""
        return (self.classes[self.encode(label)],) if self.from_score else self.names(label)

    def contradicts(self, one: Any, other: Any) -> bool:
        """Whether two labels are different classes."""
        return self.classes_of(one) != self.classes_of(other)

    def words_of(self, label: Any) -> tuple[str, ...]:
        """Return the class's name, or the score that it is cut from."""
        return (f"{label:g}",) if self.from_score else self.names(label)

    def label_contradiction(self, trained: Self) -> str:
        """Say whether classes or thresholds are others than those of a trained model."""
        if self.from_score and not trained.from_score:
            return "from_score: found one, expected none, since its classes are no cuts of a score"
        key = "from_score." if self.from_score else ""
        found, expected = ([name_key(name) for name in task.classes] for task in (self, trained))
        # Cut from a score, they have an order.
        if found and (found != expected if self.from_score else set(found) != set(expected)):
            return f"{key}classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        if self.thresholds and not np.allclose(self.thresholds, trained.thresholds):
            return f"{key}thresholds: found {list(self.thresholds)}, expected {list(trained.thresholds)}"
        return ""

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes, or automatic thresholds, in the training labels."""
        task = self
        if self.from_score:
            if not self.thresholds:
                task = self.replace(thresholds=_balanced_thresholds(labels, len(self.classes)))
        elif not self.classes:
            task = self.replace(classes=order_names(set(labels)))
        return task._resolve(labels)

    def encode(self, label: Any) -> int:
        """Return the class index of a parsed label."""
        return bisect_right(self.thresholds, label) if self.from_score else super().encode(label)

    def merge(self, labels: Sequence[Any]) -> Any:
        """Return the majority, None at a tie; of scores that classes are cut from the mean (our design)."""
        if self.from_score:
            return fmean(labels)
        (first, most), (_, second) = Counter(labels).most_common(2)
        return first if most > second else None

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "mean taken" if self.from_score else "majority taken"

    @property
    def summary(self) -> str:
        """What it predicts, with where the classes are cut."""
        if not self.from_score:
            return self.kind
        cuts = ", ".join(f"{cut:g}" for cut in self.thresholds).replace("-", "−")
        return f"{self.kind}, cut from a score {f'at {cuts}' if cuts else 'into balanced classes'}"

    def tune(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Choose the class weights on dev, where the run file asks for them; see `choose_weights`."""
        if self.decision == "argmax":
            return self
        enough = len(gold) >= MIN_ROWS
        return self.replace(class_weights=choose_weights(predictions, gold) if enough else ())

    def decided_as(self, opened: Self) -> Self:
        """Return this task deciding as a run file's task states it."""
        return self.replace(decision=opened.decision, class_weights=())

    def without_calibration(self) -> Self:
        """Return this task for probabilities that are not calibrated, with weights that decide the same."""
        if self.calibration is None:
            return super().without_calibration()
        back = tuple(weight**self.calibration.temperature for weight in self.class_weights)
        return self.replace(calibration=None, conformity=None, class_weights=back)

    def as_prompted(self) -> Self:
        """Return the task as an untrained language model is asked it: the most probable class is chosen."""
        return super().as_prompted().replace(decision="argmax", class_weights=())

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the probabilities multiplied by the class weights, normalized; the largest is the predicted class."""
        if not self.class_weights:
            return predictions
        weighted = predictions * np.array(self.class_weights)
        return np.asarray(weighted / weighted.sum(axis=-1, keepdims=True))

    def choose_class(self, prediction: npt.NDArray[Any]) -> int:
        """Return the most probable class, the first of several; by the class weights where there are any."""
        return int(self.decide(prediction).argmax())

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        if self.decision not in DECISIONS or len(self.class_weights) not in (0, len(self.classes)):
            return f"decision, class_weights: found {self.decision!r} and {len(self.class_weights)} weights"
        if not all(0 < weight < float("inf") for weight in self.class_weights):
            return "class_weights: found one that is not above 0, or infinite"
        expected = len(self.classes) - 1 if self.from_score else 0
        return super().find_problem() or find_class_problem(self.classes, 2, self.thresholds, (expected,))


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
