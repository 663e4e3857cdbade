"""The label logic of kinds that give each row one class of several."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key

from .calibration import Calibration, fit_temperature, scale_classes
from .conformity import Floats, aps_scores, aps_sets, lac_scores, lac_sets
from .labels import LabelError, list_names_hint, parse_name, quote, show
from .names import NameIndex, read_list, seems_bytes
from .prompts import Question, join_words
from .task import Task


@dataclass(frozen=True)
class ClassTask(Task):
    """One class of several.

    Args:
        classes: the class names in order; empty until `fit` finds them in the training labels.
        verbalize: by class what a language model is to answer; a class that is left out stands for itself.
    """

    class_metrics: ClassVar[tuple[str, ...]] = ("f1", "mean_f1")
    calibrated_metrics: ClassVar[tuple[str, ...]] = ("ece", "brier")
    set_methods: ClassVar[tuple[str, ...]] = ("lac", "aps")
    label_type: ClassVar[str] = "int64"
    prediction_dims: ClassVar[int] = 2
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task", "labels")
    label_statistics: ClassVar[str] = "classification"
    explained_unit: ClassVar[str] = "log-odds"
    has_one_class: ClassVar[bool] = True

    classes: tuple[str, ...] = ()
    verbalize: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in order."""
        return self.classes

    @property
    def has_distribution(self) -> bool:
        """Whether a model gives each answer a probability: it does."""
        return True

    def parse(self, cell: Any) -> Any:
        """Read a class name."""
        name = parse_name(cell)
        if self.classes and name not in self._index:
            raise LabelError(f"found class {show(name)}, expected one of {quote(self.classes)}", list_names_hint())
        if not self.classes and name_key(name).lower() == "nan":
            raise LabelError(f"found {show(name)}, expected a class (if it is one, list all in `classes`)")
        if not self.classes and seems_bytes(name):
            raise LabelError(f"found {show(name)}, bytes written as text, expected a class")
        if not self.classes and read_list(name) is not None:
            raise LabelError(f"found {show(name)}, a list written as text, expected one class (or kind: multilabel)")
        return name

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the class's name."""
        return (label,)

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the class's new name."""
        return names.get(label, label)

    def encode(self, label: Any) -> int:
        """Return the class index of a parsed label."""
        found = self._index.find(label)
        if found is None:
            raise LabelError(
                f"found class {show(label)}, which train does not have, expected one of {quote(self.classes)}",
                list_names_hint(),
            )
        return found

    def questions(self) -> list[Question]:
        """Ask for one of the classes."""
        words = self._words()
        return [Question({"labels": join_words(words)}, words)]

    def correct_answers(self, label: Any) -> list[str]:
        """Return the class's words."""
        return [self._words()[int(label)]]

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count class indices, shape (rows,), by class."""
        return dict(zip(self.classes, np.bincount(labels, minlength=len(self.classes)).tolist(), strict=True))

    def fit_calibration(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Calibration | None:
        """Choose the temperature of the lowest log loss."""
        rows = np.arange(len(gold))
        return fit_temperature(self.scale, predictions, lambda scaled: scaled[rows, gold])

    def apply_calibration(self, predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
        """Return probabilities whose logits are divided by the temperature."""
        return self.scale(predictions, calibration.temperature)

    def scale(self, predictions: npt.NDArray[Any], temperature: float) -> npt.NDArray[Any]:
        """Return probabilities whose logits are divided by a temperature; the most probable class stays."""
        return scale_classes(predictions, temperature)

    def score_conformity(self, method: str, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return the scores of LAC or APS, shape (n, 1)."""
        return lac_scores(predictions, gold) if method == "lac" else aps_scores(predictions, gold)

    def make_sets(self, method: str, predictions: npt.NDArray[Any], bounds: Floats) -> npt.NDArray[Any]:
        """Return which classes are in each set, shape (n, classes)."""
        return (lac_sets if method == "lac" else aps_sets)(predictions, float(bounds[0]))

    def covers(self, sets: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return whether each row's set holds its class, 0 or 1."""
        return np.asarray(sets[np.arange(len(gold)), gold], dtype=np.float64)

    def sizes(self, sets: npt.NDArray[Any]) -> Floats:
        """Return how many classes are in each set."""
        return np.asarray(sets.sum(axis=1), dtype=np.float64)

    def describe_set(self, found: npt.NDArray[Any], prediction: Any) -> dict[str, Any]:
        """Return the classes of the set, the most probable first."""
        order = np.argsort(-np.asarray(prediction), kind="stable")
        return {"set": [self.classes[number] for number in order if found[number]]}

    @property
    def has_confidence(self) -> bool:
        """Whether its answers have a probability of being right: they do."""
        return True

    def confidences(self, predictions: npt.NDArray[Any]) -> Floats:
        """Return the probability of the class that is decided for, shape (n,)."""
        chosen = self.decide(predictions).argmax(axis=1)
        return np.asarray(predictions[np.arange(len(chosen)), chosen], dtype=np.float64)

    def is_right(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return whether the class that is decided for is the label, shape (n,)."""
        return np.asarray(self.decide(predictions).argmax(axis=1) == gold)

    def abstain(self, answer: Any, prediction: Any, least: float) -> Any:
        """Return no label, and the best one beside, where its probability is too low."""
        if self.confidences(np.asarray(prediction)[None])[0] >= least:
            return answer
        rest = {key: value for key, value in answer.items() if key != "label"}
        return {"label": None, "unsure": True, "best": answer["label"], **rest}

    def as_labels(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the index of the class that is decided for, shape (n,)."""
        return np.asarray(self.decide(predictions).argmax(axis=1))

    def show_label(self, label: Any) -> str:
        """Return the class's name."""
        return self.classes[int(label)]

    def show_answer(self, prediction: Any) -> str:
        """Return the chosen class and its probability."""
        chosen = self.choose_class(np.asarray(prediction))
        return f"{self.classes[chosen]} ({float(prediction[chosen]):.2f})"

    def classes_in(self, label: Any) -> tuple[str, ...]:
        """Return the class."""
        return (self.classes[int(label)],)

    def classes_answered(self, prediction: Any) -> tuple[str, ...]:
        """Return the chosen class."""
        return (self.classes[self.choose_class(np.asarray(prediction))],)

    @abstractmethod
    def choose_class(self, prediction: npt.NDArray[Any]) -> int:
        """Return the index of the class that is predicted by the probabilities of one row, shape (classes,)."""

    def explained(self, prediction: Any) -> dict[str, int]:
        """Explain the predicted class."""
        place = self.choose_class(np.asarray(prediction))
        return {self.classes[place]: place}

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the predicted class and all probabilities."""
        probabilities = {name: float(value) for name, value in zip(self.classes, prediction, strict=True)}
        return {"label": self.classes[self.choose_class(np.asarray(prediction))], "probabilities": probabilities}

    def _resolve(self, labels: Sequence[Any]) -> Self:
        """Return this task, its classes known, with words by the classes' own names, if train has two classes or more.

        Raises:
            LabelError: `verbalize` names no class, or all labels are of one class.
        """
        task = self
        if unknown := [name for name in self.verbalize if name not in self._index]:
            raise LabelError(f"`verbalize` names the class '{unknown[0]}', expected one of {quote(self.classes)}")
        words = {self.classes[self._index.find(name) or 0]: words for name, words in self.verbalize.items()}
        task = self if words == dict(self.verbalize) else self.replace(verbalize=words)
        present = {task.encode(label) for label in labels}
        if len(present) < 2:
            raise LabelError(f"every training label is '{task.classes[present.pop()]}', expected two classes or more")
        return task

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.classes)

    def _words(self) -> tuple[str, ...]:
        return tuple(self.verbalize.get(name, name) for name in self.classes)
