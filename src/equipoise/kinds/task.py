"""The label logic that every kind of task shares; free of torch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt

from equipoise.errors import did_you_mean

from .calibrating import Calibrating, read_trust
from .calibration import Calibration
from .class_metrics import name_metric
from .conformity import Conformity
from .inspecting import Inspecting
from .labels import quote, show
from .names import NameIndex, Vocabulary
from .prompting import Prompting
from .token_reading import TokenReading

_FORMATS = ("head", "prompt")
_TRUST = ("calibration", "conformity")


class View(NamedTuple):
    """What a task reads: tasks with the same view share rows, and each row is encoded once."""

    source: str
    text: str
    pair: str | None


@dataclass(frozen=True)
class Task(Prompting, TokenReading, Calibrating, Inspecting, ABC):
    """One task: what it reads, what it predicts, and by which metric it is judged.

    A task starts *open*, as the run file states it; `fit` returns it with its label space resolved on
    the training split. The resolved task travels with the model.

    Args:
        name: the task's name in the run file, tables and predictions.
        source: the source its rows come from.
        text: column of the text.
        pair: column of the second text (a target, an aspect), or None.
        label: column of the label.
        metric: the primary metric.
        auxiliary: it is trained to help the others, and never scored.
        format: "head": a head reads the features; "prompt": the language model is asked, and its answers
            are scored.
        template: what it is asked, "" for the kind's own template.
        variants: further templates, by which predictions can be averaged.
        metric_classes: the classes that the primary metric is of, as the run file spells them; none for most metrics.
        calibration: what `calibrate` applies to predictions; None for nothing.
        conformity: how dev rows conform to predictions; None where that was not measured.
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """The metrics every table shows for this kind; the first is the default primary metric."""
    primary_metrics: ClassVar[tuple[str, ...]]
    """Metrics that can select a checkpoint, the default first: higher is better, 1 is perfect."""
    class_metrics: ClassVar[tuple[str, ...]] = ()
    """Metrics of named classes that can select a checkpoint, too (see `ClassMetric`)."""
    text_metrics: ClassVar[tuple[str, ...]] = ()
    """Further metrics, which compare a prediction with the input text."""
    item_metric: ClassVar[str]
    """The mean over rows by which two models are compared row by row."""
    label_type: ClassVar[str]
    """What the table stores a label as: int64, float64, list<int8> or string."""
    prediction_type: ClassVar[type] = np.float64
    prediction_dims: ClassVar[int] = 1
    """Predictions for n rows have the shape (n,), or (n, classes) where these are 2."""
    takes_lists: ClassVar[bool] = False
    """Whether a label cell may hold a list."""
    averages_seeds: ClassVar[bool] = True
    """Whether the predictions of several seeds can be averaged."""
    shows_texts: ClassVar[bool] = False
    """Whether reports show some of its predictions, which are texts to be read."""
    label_statistics: ClassVar[str] = ""
    """As what the balancers count its labels: "classification", "regression", or "" for not at all."""
    class_noun: ClassVar[str] = "class"
    """What messages call one of its classes."""
    explained_unit: ClassVar[str] = ""
    """What the words of an explanation add up to, such as "log-odds"; "" for kinds that cannot be explained."""
    explains_each: ClassVar[bool] = False
    """Whether an answer has several explanations, one for each label or item that is predicted."""
    counted: ClassVar[str] = "rows"
    """What `count` counts: rows with a class, or what its lists hold."""

    name: str
    source: str
    text: str
    pair: str | None
    label: str
    metric: str
    auxiliary: bool = field(default=False, kw_only=True)
    format: str = field(default="head", kw_only=True)
    template: str = field(default="", kw_only=True)
    variants: tuple[str, ...] = field(default=(), kw_only=True)
    metric_classes: tuple[str, ...] = field(default=(), kw_only=True)
    calibration: Calibration | None = field(default=None, kw_only=True)
    conformity: Conformity | None = field(default=None, kw_only=True)

    @property
    def view(self) -> View:
        """The source and columns this task reads."""
        return View(self.source, self.text, self.pair)

    @property
    def is_probed(self) -> bool:
        """Whether a model that has not learnt it is read by a linear probe on its features."""
        return not (self.is_prompted or self.writes_text or self.reads_tokens)

    @property
    def has_distribution(self) -> bool:
        """Whether a model gives each answer a probability."""
        return False

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of its classes, none for kinds without classes."""
        return ()

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of one encoded label: () for one number or text."""
        return ()

    @property
    def scored_metrics(self) -> tuple[str, ...]:
        """What predictions are scored by against labels: the kind's metrics, after the primary one if it is another."""
        return self.metrics if self.metric in self.metrics else (self.metric, *self.metrics)

    @property
    def reported(self) -> tuple[str, ...]:
        """All metrics that a table can show."""
        return self.scored_metrics + self.text_metrics

    def find_metric_problem(self) -> str:
        """Say what is wrong with the classes that the primary metric names, once those of the task are known."""
        known = NameIndex(self.class_names)
        places = [known.find(name) for name in self.metric_classes]
        for number, (name, place) in enumerate(zip(self.metric_classes, places, strict=True)):
            if place is None:
                about = f"names the {self.class_noun} {show(name)}, which the task does not have"
                return f"{about}. {did_you_mean(name, self.class_names)}"
            if place in places[:number]:
                return f"names the {self.class_noun} {show(name)} twice; expected different ones"
        return ""

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns the label is read from."""
        return (self.label,)

    @property
    def takes_numbers(self) -> bool:
        """Whether a label cell holds a number, which may have decimals."""
        return False

    @property
    def summary(self) -> str:
        """What it predicts, in a few words."""
        return self.kind

    def join_cells(self, cells: tuple[Any, ...]) -> Any:
        """Return what `parse` reads from the cells of the label columns; None where the row has no label."""
        return cells[0]

    @abstractmethod
    def parse(self, cell: Any) -> Any:
        """Read one label cell; what is returned can be hashed. Names of classes stay as they are spelled.

        Raises:
            LabelError: the cell is no label of this task.
        """

    def locate(self, label: Any, text: str) -> Any:
        """Return a parsed label with its places in the row's text; most kinds have none.

        Raises:
            LabelError: the label does not fit the text.
        """
        return label

    def describe(self, labels: Sequence[Any]) -> list[str]:
        """Say what users should know of the parsed labels of a split: plain sentences, mostly none."""
        return []

    def names(self, label: Any) -> tuple[str, ...]:
        """Return the names of classes in a parsed label, none for kinds without classes."""
        return ()

    def rename(self, label: Any, names: Mapping[str, str]) -> Any:
        """Return a parsed label with its names of classes replaced."""
        return label

    @property
    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """The sorts of names in its labels, whose spellings are joined: its classes."""
        return (Vocabulary("classes", self.class_noun, self.class_names, self.names, self.rename),)

    @abstractmethod
    def fit(self, labels: Sequence[Any]) -> Self:
        """Return this task with its label space resolved on the parsed training labels.

        Raises:
            LabelError: the labels cannot be learnt from (one class only, no variance).
        """

    @abstractmethod
    def encode(self, label: Any) -> Any:
        """Turn a parsed label into what the table stores.

        Raises:
            LabelError: the label is not in the label space found on train.
        """

    def as_prompted(self) -> Self:
        """Return the task as an untrained language model is prompted for it."""
        return self.without_calibration().replace(format="prompt")

    @abstractmethod
    def merge(self, labels: Sequence[Any]) -> Any:
        """Return one label for a text that repeats with several, not all equal; None where there is none."""

    @property
    @abstractmethod
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""

    def count(self, labels: npt.NDArray[Any]) -> dict[str, int]:
        """Count encoded labels, shape (rows,) or (rows, classes), by class; nothing for kinds without classes."""
        return {}

    def tune(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Self:
        """Return this task with what is chosen on dev; most kinds have nothing to choose.

        Args:
            predictions: the model's predictions on dev, calibrated if the task is.
            gold: the encoded labels of dev.
        """
        return self

    def clip(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return predictions within the bounds that the task states; most kinds state none."""
        return predictions

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn predictions into what the metrics read; for most kinds that is the predictions themselves."""
        return predictions

    def as_labels(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what predictions decide for as encoded labels, by which another model's predictions can be scored."""
        return self.decide(predictions)

    def explained(self, prediction: Any) -> dict[str, Any]:
        """Return what is explained of the prediction for one row; nothing for kinds that cannot be explained.

        Returns:
            By the name of what is explained, such as the predicted class, the place that `Objective.explained` takes;
            of kinds whose head reads tokens what `explained_cells` takes.
        """
        return {}

    def add_explained(self, answer: Any, parts: Mapping[str, Mapping[str, Any]]) -> Any:
        """Return an answer with the words that decided.

        Args:
            answer: the answer.
            parts: by the name of what is explained its "words", "explained", and "pair_words" where there is a pair.
        """
        (part,) = parts.values()
        return {**answer, **part}

    def show_label(self, label: Any) -> str:
        """Write one encoded label, or one row of what `decide` returns, for people."""
        return str(label)

    def show_answer(self, prediction: Any) -> str:
        """Write the answer that the prediction for one row is for people."""
        return self.show_label(self.decide(np.asarray([prediction]))[0])

    def classes_in(self, label: Any) -> tuple[str, ...]:
        """Return the classes in one encoded label, or one row of what `decide` returns; none without classes."""
        return ()

    def classes_answered(self, prediction: Any) -> tuple[str, ...]:
        """Return the classes in the answer that the prediction for one row is; none without classes."""
        return self.classes_in(self.decide(np.asarray([prediction]))[0])

    @abstractmethod
    def answer(self, prediction: Any) -> Any:
        """Write the prediction for one row out for the user, as plain JSON data."""

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show: "KEY: …"; "" if nothing is."""
        if self.format not in _FORMATS:
            return f"format: found {self.format!r}, expected {' or '.join(_FORMATS)}"
        if problem := self.find_trust_problem():
            return problem
        name = self.metric.partition("(")[0]
        allowed = self.class_metrics if self.metric_classes else self.primary_metrics
        if name not in allowed or self.metric != name_metric(name, self.metric_classes):
            return f"metric: found {show(self.metric)}, expected one of {', '.join(self.primary_metrics)}"
        problem = self.find_metric_problem()
        return problem and f"metric: {problem}"

    def reading(self) -> dict[str, Any]:
        """Return the fields that say where rows and labels come from; they can differ from those at training."""
        return {
            "source": self.source,
            "text": self.text,
            "pair": self.pair,
            "label": self.label,
            "auxiliary": self.auxiliary,
        }

    def read_as(self, other: "Task") -> Self:
        """Return this task reading, and judged by, what another one does."""
        return self.replace(**other.reading(), metric=other.metric, metric_classes=other.metric_classes)

    def contradiction(self, trained: "Task") -> str:
        """Say which key of this open task states something else than the task of a trained model.

        Args:
            trained: the task of the model, of whatever kind.

        Returns:
            "KEY: found …, expected …"; "" where all that is stated agrees.
        """
        if self.kind != trained.kind:
            return f"kind: found {self.kind}, expected {trained.kind}"
        if self.pair is None and trained.pair is not None:
            return "pair: found none, expected the column of a second text"
        if self.pair is not None and trained.pair is None:
            return f"pair: found {quote([self.pair])}, expected none"
        return self.label_contradiction(cast(Self, trained))

    def label_contradiction(self, trained: Self) -> str:
        """Say which of the kind's own keys states other labels than a trained model's; see `contradiction`."""
        return ""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain JSON data; `task_from_dict` reads it back."""
        stated = {"kind": self.kind, **asdict(self)}
        # Models without them stay as they were before there were any.
        return {key: value for key, value in stated.items() if key not in _TRUST or value is not None}

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote, but for the kind."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        fields |= read_trust(fields)
        return cls(**fields)
