"""The classification task kind: one of several classes."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key

from ..labels import LabelError, find_class_problem, order_names, parse_name, parse_number, quote, show
from ..names import NameIndex, read_list, seems_bytes
from ..prompts import Question, join_words
from ..task import Task


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
        verbalize: by class what a language model is to answer; a class that is left out stands for itself.
    """

    kind: ClassVar[str] = "classification"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy", "ece")
    primary_metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "accuracy")
    item_metric: ClassVar[str] = "accuracy"
    label_type: ClassVar[str] = "int64"
    prediction_dims: ClassVar[int] = 2
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task", "labels")
    label_statistics: ClassVar[str] = "classification"
    default_questions: ClassVar[tuple[str, ...]] = (
        "What is the {task} of the text above{towards}? Answer with one of: {labels}.",
        "Choose the {task} of this text{towards}: {labels}.",
        "Which {task} does the text above have{towards}, {labels}?",
        "Read the text above and name its {task}{towards}. The options are {labels}.",
    )

    classes: tuple[str, ...] = ()
    from_score: bool = False
    thresholds: tuple[float, ...] = ()
    verbalize: Mapping[str, str] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in order."""
        return self.classes

    @property
    def has_distribution(self) -> bool:
        """Whether a model gives each answer a probability: it does."""
        return True

    def parse(self, cell: Any) -> float | str:
        """Read a score where the classes are cut from one, else a class name."""
        if self.from_score:
            return parse_number(cell)
        name = parse_name(cell)
        if self.classes and name not in self._index:
            raise LabelError(f"found class {show(name)}, expected one of {quote(self.classes)}")
        if not self.classes and name_key(name).lower() == "nan":
            raise LabelError(f"found {show(name)}, expected a class (if it is one, list all in `classes`)")
        if not self.classes and seems_bytes(name):
            raise LabelError(f"found {show(name)}, bytes written as text, expected a class")
        if not self.classes and read_list(name) is not None:
            raise LabelError(f"found {show(name)}, a list written as text, expected one class (or kind: multilabel)")
        return name

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the class's name; none where it is cut from a score."""
        return () if self.from_score else (label,)

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the class's new name."""
        return label if self.from_score else names.get(label, label)

    def contradiction(self, trained: Self) -> str:
        """Say whether pair, classes or thresholds are others than those of a trained model."""
        if self.from_score and not trained.from_score:
            return "from_score: found one, expected none, since its classes are no cuts of a score"
        key = "from_score." if self.from_score else ""
        found, expected = ([name_key(name) for name in task.classes] for task in (self, trained))
        # Cut from a score, they have an order.
        if found and (found != expected if self.from_score else set(found) != set(expected)):
            return f"{key}classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        if self.thresholds and not np.allclose(self.thresholds, trained.thresholds):
            return f"{key}thresholds: found {list(self.thresholds)}, expected {list(trained.thresholds)}"
        return super().contradiction(trained)

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the classes, or automatic thresholds, in the training labels."""
        task = self
        if self.from_score:
            if not self.thresholds:
                task = self.replace(thresholds=_balanced_thresholds(labels, len(self.classes)))
        elif not self.classes:
            task = self.replace(classes=order_names(set(labels)))
        if unknown := [name for name in self.verbalize if name not in task._index]:
            raise LabelError(f"`verbalize` names the class '{unknown[0]}', expected one of {quote(task.classes)}")
        words = {task.classes[task._index.find(name) or 0]: words for name, words in self.verbalize.items()}
        task = task if words == dict(self.verbalize) else task.replace(verbalize=words)
        present = {task.encode(label) for label in labels}
        if len(present) < 2:
            only = task.classes[present.pop()]
            raise LabelError(f"every training label is '{only}', expected two classes or more")
        return task

    def encode(self, label: Any) -> int:
        """Return the class index of a parsed label."""
        if self.from_score:
            return bisect_right(self.thresholds, label)
        found = self._index.find(label)
        if found is None:
            raise LabelError(
                f"found class {show(label)}, which train does not have, expected one of {quote(self.classes)}"
            )
        return found

    def questions(self) -> list[Question]:
        """Ask for one of the classes."""
        words = self._words()
        return [Question({"labels": join_words(words)}, words)]

    def correct_answers(self, label: Any) -> list[str]:
        """Return the class's words."""
        return [self._words()[int(label)]]

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

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count class indices, shape (rows,), by class."""
        return dict(zip(self.classes, np.bincount(labels, minlength=len(self.classes)).tolist(), strict=True))

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the most probable class and all probabilities."""
        probabilities = {name: float(value) for name, value in zip(self.classes, prediction, strict=True)}
        return {"label": self.classes[int(np.argmax(prediction))], "probabilities": probabilities}

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        expected = len(self.classes) - 1 if self.from_score else 0
        return super().find_problem() or find_class_problem(self.classes, 2, self.thresholds, (expected,))

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.classes)

    def _words(self) -> tuple[str, ...]:
        return tuple(self.verbalize.get(name, name) for name in self.classes)


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
