"""The multilabel task kind: any number of labels, none included."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import name_key, normalize

from ..calibration import Calibration, fit_temperature, scale_labels
from ..conformity import Floats, lac_sets
from ..labels import LabelError, find_class_problem, list_names_hint, order_names, parse_name, quote, show
from ..names import NameIndex, Vocabulary, read_list, seems_bytes, seems_list
from ..prompts import Question, join_words
from ..task import Task

_WORDS = ("no", "yes")
_LISTS = """expected ["joy", "fear"], or text with separators between the labels"""
_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")


@dataclass(frozen=True)
class Multilabel(Task):
    """Every label that applies, given as a list, as text between separators, or as one column a label.

    Args:
        classes: the labels in order; empty until `fit` finds them in the training rows (sorted, numbers by value).
        columns: the columns that say of one label each whether it applies; they name the labels. Empty where the
            column `label` holds all labels of a row.
        separator: what stands between two labels of a text; a cell that holds it alone has no label that applies.
        thresholds: a label applies from this probability on, one a label; 0.5 until `tune` chooses them on dev.
    """

    kind: ClassVar[str] = "multilabel"
    metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "micro_f1", "jaccard", "ece", "brier")
    primary_metrics: ClassVar[tuple[str, ...]] = ("macro_f1", "micro_f1", "jaccard")
    class_metrics: ClassVar[tuple[str, ...]] = ("f1", "mean_f1")
    calibrated_metrics: ClassVar[tuple[str, ...]] = ("ece", "brier")
    set_methods: ClassVar[tuple[str, ...]] = ("lac",)
    item_metric: ClassVar[str] = "jaccard"
    label_type: ClassVar[str] = "list<int8>"
    prediction_dims: ClassVar[int] = 2
    takes_lists: ClassVar[bool] = True
    averages_seeds: ClassVar[bool] = False
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task", "label", "labels")
    required_fields: ClassVar[tuple[str, ...]] = ("label",)
    class_noun: ClassVar[str] = "label"
    explained_unit: ClassVar[str] = "log-odds"
    explains_each: ClassVar[bool] = True
    default_questions: ClassVar[tuple[str, ...]] = (
        'Does the {task} "{label}" apply to the text above{towards}? Answer yes or no.',
        'Is "{label}" one of the {task} of this text{towards}? Say yes or no.',
        'The {task} can be {labels}. Is "{label}" right for the text above{towards}, yes or no?',
        'Read the text above. Should it have the {task} "{label}"{towards}? Reply with yes or no.',
    )

    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    separator: str = ","
    thresholds: tuple[float, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The labels in order."""
        return self.classes

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of one row's labels: one number for each."""
        return (len(self.classes),)

    @property
    def has_distribution(self) -> bool:
        """Whether a model gives each answer a probability: it does."""
        return True

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns the labels are read from."""
        return self.columns or (self.label,)

    def join_cells(self, cells: tuple[Any, ...]) -> Any:
        """Return the cell that holds all labels, or one cell a label; None where all are empty."""
        if not self.columns:
            return cells[0]
        return None if all(cell is None for cell in cells) else cells

    def parse(self, cell: Any) -> tuple[str, ...]:
        """Read the labels that apply, each once, sorted."""
        names = self._read_columns(cell) if self.columns else self._read_list(cell)
        for name in names:
            if self.classes and name not in self._index:
                raise LabelError(f"found label {show(name)}, expected some of {quote(self.classes)}", list_names_hint())
            if not self.classes and seems_list(name):
                raise LabelError(f"found label {show(name)}, part of a list written as text, {_LISTS}")
            if not self.classes and seems_bytes(name):
                raise LabelError(f"found label {show(name)}, bytes written as text, {_LISTS}")
            if not self.classes and name_key(name).lower() == "nan":
                raise LabelError(f"found {show(name)}, expected a label (if it is one, list all in `classes`)")
        return tuple(sorted(set(names)))

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the labels that apply."""
        return tuple(label)

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return the labels that apply under their new names."""
        return tuple(sorted({names.get(name, name) for name in label}))

    @property
    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """The labels."""
        return tuple(vocabulary._replace(has_separator=True) for vocabulary in super().vocabularies)

    def label_contradiction(self, trained: Self) -> str:
        """Say whether the classes are others than those of a trained model."""
        found, expected = ({name_key(name) for name in task.classes} for task in (self, trained))
        if found and not self.columns and found != expected:
            return f"classes: found {quote(self.classes)}, expected {quote(trained.classes)}"
        return ""

    def fit(self, labels: Sequence[Any]) -> Self:
        """Find the labels in the training rows; each must apply to some rows and not to others."""
        counts = Counter(name for names in labels for name in names)
        classes = self.classes or order_names(counts)
        if not classes:
            raise LabelError("no label applies to any training row, expected one or more")
        for name in classes:
            if counts[name] in (0, len(labels)):
                where = "every training row" if counts[name] else "no training row"
                raise LabelError(f"label '{name}' applies to {where}, expected it on some and not on others")
        return self.replace(classes=classes, thresholds=(0.5,) * len(classes))

    def encode(self, label: Any) -> list[int]:
        """Return for each label of the task whether it applies: 0 or 1."""
        unknown = [name for name in label if name not in self._index]
        if unknown:
            raise LabelError(
                f"found label {show(unknown[0])}, which train does not have, expected some of {quote(self.classes)}",
                list_names_hint(),
            )
        columns = NameIndex(self.columns)
        missing = [name for name in self.classes if self.columns and name not in columns]
        if missing:
            raise LabelError(f"found no column for label {show(missing[0])}, expected one a label of the model")
        applies = {self._index.find(name) for name in label}
        return [int(index in applies) for index in range(len(self.classes))]

    def questions(self) -> list[Question]:
        """Ask of each label whether it applies."""
        labels = join_words(self.classes)
        return [Question({"label": name, "labels": labels}, _WORDS) for name in self.classes]

    def correct_answers(self, label: Any) -> list[str]:
        """Return for each label of the task whether it applies."""
        return [_WORDS[int(applies)] for applies in label]

    def merge(self, labels: Sequence[Any]) -> tuple[str, ...]:
        """Return the labels that apply to more than half of the rows (our design)."""
        counts = Counter(name for names in labels for name in names)
        return tuple(sorted(name for name, count in counts.items() if 2 * count > len(labels)))

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "majority of each label taken"

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count encoded labels, shape (rows, labels), by label."""
        return dict(zip(self.classes, labels.sum(axis=0).tolist(), strict=True))

    def fit_calibration(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Calibration | None:
        """Choose the temperature of all labels by the lowest log loss."""
        applies = gold.astype(bool)
        return fit_temperature(scale_labels, predictions, lambda scaled: np.where(applies, scaled, 1 - scaled))

    def apply_calibration(self, predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
        """Return probabilities whose logits are divided by the temperature."""
        return scale_labels(predictions, calibration.temperature)

    def without_calibration(self) -> Self:
        """Return this task for probabilities that are not calibrated, with thresholds that decide the same."""
        if self.calibration is None:
            return super().without_calibration()
        back = scale_labels(np.array(self.thresholds), 1 / self.calibration.temperature)
        return self.replace(calibration=None, conformity=None, thresholds=tuple(back.tolist()))

    @property
    def distributions(self) -> int:
        """How many sets there are for a row: one for each label."""
        return len(self.classes)

    def score_conformity(self, method: str, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return 1 − p(what is true of each label), shape (n, labels)."""
        return np.where(gold.astype(bool), 1 - predictions, predictions)

    def make_sets(self, method: str, predictions: npt.NDArray[Any], bounds: Floats) -> npt.NDArray[Any]:
        """Return whether no and yes are in each label's set, shape (n, labels, 2)."""
        both = np.stack([1 - predictions, predictions], axis=2)
        return np.stack([lac_sets(both[:, number], bound) for number, bound in enumerate(bounds)], axis=1)

    def covers(self, sets: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return the share of each row's labels whose set holds what is true."""
        return np.asarray(np.where(gold.astype(bool), sets[:, :, 1], sets[:, :, 0]).mean(axis=1))

    def sizes(self, sets: npt.NDArray[Any]) -> Floats:
        """Return how large the labels' sets are on average: 1 is certain, 2 is unsure."""
        return np.asarray(sets.sum(axis=2).mean(axis=1))

    def describe_set(self, found: npt.NDArray[Any], prediction: Any) -> dict[str, Any]:
        """Return for each label yes, no, or unsure: both can be, or neither conforms."""
        words = ["unsure" if no == yes else _WORDS[int(yes)] for no, yes in found.tolist()]
        return {"set": dict(zip(self.classes, words, strict=True))}

    @property
    def has_confidence(self) -> bool:
        """Whether its answers have a probability of being right: they do, label by label."""
        return True

    def confidences(self, predictions: npt.NDArray[Any]) -> Floats:
        """Return the probability of what is decided of each label, shape (n, labels)."""
        return np.where(self.decide(predictions) == 1, predictions, 1 - predictions)

    def is_right(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return whether what is decided of each label is true, shape (n, labels)."""
        return np.asarray(self.decide(predictions) == gold)

    def abstain(self, answer: Any, prediction: Any, least: float) -> Any:
        """Return the labels that surely apply, and those of which it is unsure beside."""
        sure = self.confidences(np.asarray(prediction)[None])[0] >= least
        unsure = [name for name, is_sure in zip(self.classes, sure, strict=True) if not is_sure]
        labels = [name for name in answer["labels"] if name not in unsure]
        return {"labels": labels, "unsure": unsure, "probabilities": answer["probabilities"]} if unsure else answer

    def tune(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Choose every label's threshold for the best F1 on dev.

        A threshold lies in the middle between two probabilities that occur; of equally good ones the nearest to 0.5
        is taken, and a label that applies to no row keeps 0.5 (our design).

        Args:
            predictions: probabilities on dev, shape (rows, labels).
            gold: whether each label applies, 0 or 1, shape (rows, labels).
        """
        pairs = zip(np.asarray(predictions, dtype=np.float64).T, np.asarray(gold).T, strict=True)
        return self.replace(thresholds=tuple(_best_threshold(column, truth) for column, truth in pairs))

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return whether each label applies, 0 or 1, by the thresholds; shape (rows, labels) like the probabilities."""
        return (predictions >= np.array(self.thresholds)).astype(np.int8)

    def explained(self, prediction: Any) -> dict[str, int]:
        """Explain each label that applies."""
        return {self.classes[place]: int(place) for place in np.flatnonzero(self.decide(np.asarray(prediction)))}

    def add_explained(self, answer: Any, parts: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return the answer with the words that decided by label."""
        empty: Mapping[str, Any] = {"words": {}, "explained": {}}
        keys = dict.fromkeys(key for part in (empty, *parts.values()) for key in part)
        return {**answer, **{key: {name: part[key] for name, part in parts.items()} for key in keys}}

    def show_label(self, label: Any) -> str:
        """Return the names of the labels that apply."""
        return ", ".join(self.classes_in(label)) or "none"

    def classes_in(self, label: Any) -> tuple[str, ...]:
        """Return the names of the labels that apply."""
        return tuple(name for name, applies in zip(self.classes, label, strict=True) if applies)

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the labels that apply and all probabilities."""
        applies = self.decide(np.asarray(prediction))
        return {
            "labels": [name for name, yes in zip(self.classes, applies, strict=True) if yes],
            "probabilities": {name: float(value) for name, value in zip(self.classes, prediction, strict=True)},
        }

    def reading(self) -> dict[str, Any]:
        """Return the fields that say where rows and labels come from."""
        return {**super().reading(), "columns": self.columns, "separator": self.separator}

    def as_prompted(self) -> Self:
        """Return the task as an untrained language model is asked it: a label applies from a probability of 0.5."""
        return self.replace(format="prompt", calibration=None, conformity=None, thresholds=(0.5,) * len(self.classes))

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        expected = (0, len(self.classes))
        return super().find_problem() or find_class_problem(self.classes, 1, self.thresholds, expected)

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self.classes)

    def _read_list(self, cell: Any) -> list[str]:
        listed = read_list(cell) if isinstance(cell, str) and cell not in self._index else None
        if listed is not None:
            return [parse_name(item) for item in listed]
        if isinstance(cell, str) and cell.strip():
            if cell.strip()[-1] in "])}" and cell not in self._index and seems_list(cell):
                raise LabelError(f"found {show(cell)}, a list written as text that cannot be read, {_LISTS}")
            parts = [part.strip() for part in cell.split(self.separator)]
            if not any(parts):
                return []
            if not all(parts):
                raise LabelError(f"found {show(cell)}, expected a label on both sides of each '{self.separator}'")
            return parts
        if isinstance(cell, list):
            return [parse_name(item) for item in cell]
        if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != cell:
            raise LabelError(f"found {show(cell)}, expected a list of labels ([] where none applies)")
        return [parse_name(cell)]

    def _read_columns(self, cells: Any) -> list[str]:
        found = []
        for name, cell in zip(self.columns, cells, strict=True):
            word = normalize(str(cell)).lower()
            if word not in _YES + _NO:
                raise LabelError(f"found {show(cell)} in column '{name}', expected 0 or 1 (or false, true)")
            if word in _YES:
                found.append(name)
        return found


def _best_threshold(probabilities: npt.NDArray[np.float64], gold: npt.NDArray[Any]) -> float:
    # A label of probability 0 never applies.
    if not (gold.any() and probabilities.any()):
        return 0.5
    values, group = np.unique(-probabilities, return_inverse=True)
    values = -values
    # The k-th cut takes the rows with the k + 1 highest different probabilities.
    taken = np.cumsum(np.bincount(group))
    hits = np.cumsum(np.bincount(group, weights=gold))
    f1 = np.where(values > 0, 2 * hits / (taken + gold.sum()), -1.0)
    below = np.append(values[1:], 0.0)
    middles = (values + below) / 2
    # Between two neighbouring floats there is no middle.
    middles = np.where(middles > below, middles, values)
    best = np.flatnonzero(np.isclose(f1, f1.max(), rtol=1e-12, atol=0))
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]])
