"""The label logic that every kind of task shares; free of torch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt

from equipoise.errors import did_you_mean

from .class_metrics import name_metric
from .labels import quote, show
from .names import NameIndex
from .prompts import Question, split_template, with_text
from .written import WritingLimits, Written

_FORMATS = ("head", "prompt")


class View(NamedTuple):
    """What a task reads: tasks with the same view share rows, and each row is encoded once."""

    source: str
    text: str
    pair: str | None


class TokenWindow(NamedTuple):
    """What a head says of a stretch of a text's tokens.

    Args:
        offsets: where the tokens start and end, in characters of the text, tokens × 2.
        cells: the predictions for its cells, cells × classes.
    """

    offsets: npt.NDArray[np.int64]
    cells: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task(ABC):
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
    is_always_prompted: ClassVar[bool] = False
    """Whether no head can answer it."""
    shows_texts: ClassVar[bool] = False
    """Whether reports show some of its predictions, which are texts to be read."""
    reads_tokens: ClassVar[bool] = False
    """Whether its head reads the tokens of the text, not one vector per row."""
    label_statistics: ClassVar[str] = ""
    """As what the balancers count its labels: "classification", "regression", or "" for not at all."""
    class_noun: ClassVar[str] = "class"
    """What messages call one of its classes."""
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task")
    """The fields a template may have."""
    required_fields: ClassVar[tuple[str, ...]] = ()
    """The fields a template must have, beside the row's own inputs."""
    default_questions: ClassVar[tuple[str, ...]] = ()
    """What a language model is asked after the text, the default first; `{towards}` is for the pair."""

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

    @property
    def view(self) -> View:
        """The source and columns this task reads."""
        return View(self.source, self.text, self.pair)

    @property
    def is_prompted(self) -> bool:
        """Whether a language model is asked; else a head reads the features."""
        return self.format == "prompt"

    @property
    def writes_text(self) -> bool:
        """Whether it is answered by text that a language model writes: its targets are tokens (see `WritingTask`)."""
        return False

    @property
    def limits(self) -> WritingLimits:
        """How its text is searched for; only for tasks that write text."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' write no text.")

    @property
    def is_probed(self) -> bool:
        """Whether a model that has not learnt it is read by a linear probe on its features."""
        return not (self.is_prompted or self.writes_text or self.reads_tokens)

    @property
    def has_token_head(self) -> bool:
        """Whether a head reads the tokens of the text."""
        return self.reads_tokens and not self.is_prompted

    @property
    def is_averaged(self) -> bool:
        """Whether its answers to several templates can be averaged."""
        return self.is_prompted and not self.writes_text

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
        """Say which class the primary metric names that the task, its classes known, does not have; "" if none."""
        known = NameIndex(self.class_names)
        for name in self.metric_classes:
            if name not in known:
                about = f"names the {self.class_noun} {show(name)}, which the task does not have"
                return f"{about}. {did_you_mean(name, self.class_names)}"
        return ""

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns the label is read from."""
        return (self.label,)

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

    def count_cells(self, tokens: int) -> int:
        """Return for how many cells the head answers on a row; only for tasks that read tokens.

        Args:
            tokens: tokens of the text.
        """
        return tokens

    def cell_targets(self, label: Any, text: str, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the target of each cell of a row; only for tasks that read tokens.

        Args:
            label: the encoded label.
            text: the text.
            offsets: where its tokens start and end, in characters of the text, tokens × 2.

        Returns:
            Class indices, shape (cells,); −1 where a cell is not learnt from.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not read tokens.")

    def read_cells(self, text: str, windows: Sequence["TokenWindow"]) -> Any:
        """Return the prediction for a row; only for tasks that read tokens.

        Args:
            text: the text.
            windows: what the head says of it, one window or several that overlap.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' do not read tokens.")

    def read_written(self, text: str, written: Written) -> Any:
        """Return the prediction for a row; only for tasks that write text.

        Args:
            text: the row's text.
            written: what a language model wrote for it.
        """
        raise NotImplementedError(f"Tasks of kind '{self.kind}' write no text.")

    def questions(self) -> list[Question]:
        """What a language model is asked about a row; the answers of all questions, in order, are scored."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' cannot be asked of a language model.")

    def correct_answers(self, label: Any) -> list[str]:
        """Return the right answer to each question for an encoded label."""
        raise NotImplementedError(f"Tasks of kind '{self.kind}' cannot be asked of a language model.")

    @property
    def prompt_problem(self) -> str:
        """Why a language model cannot be asked, "" if it can."""
        return "" if self.default_questions else f"kind {self.kind} has no question for a language model"

    def as_prompted(self) -> Self:
        """Return the task as an untrained language model is asked it."""
        return self.replace(format="prompt")

    def shortened(self, tokens: int) -> Self:
        """Return the task with at most so many tokens to write, if it writes text."""
        return self

    def longest_answer(self, count_tokens: Callable[[str], int]) -> int:
        """Return how many tokens an answer has at most.

        Args:
            count_tokens: counts the tokens of an answer.
        """
        return max(count_tokens(answer) for question in self.questions() for answer in question.answers)

    @cached_property
    def answers(self) -> int:
        """How many answers are scored on a row."""
        return sum(len(question.answers) for question in self.questions())

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates it can be asked by, each once: its own, the first of which it learns by, then the kind's."""
        own = (self.template, *self.variants) if self.template else ()
        return tuple(dict.fromkeys((*own, *with_text(self.default_questions, self.pair is not None))))

    def prompts(self) -> list[list[str]]:
        """Return the prompt of each question, cut at the row's own inputs (see `split_template`)."""
        template = self.templates[0]
        words = self.name.replace("_", " ").replace("-", " ")
        return [split_template(template, {"task": words, **question.fields}) for question in self.questions()]

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
            predictions: the model's predictions on dev.
            gold: the encoded labels of dev.
        """
        return self

    def clip(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return predictions within the bounds that the task states; most kinds state none."""
        return predictions

    def decide(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turn predictions into what the metrics read; for most kinds that is the predictions themselves."""
        return predictions

    @abstractmethod
    def answer(self, prediction: Any) -> Any:
        """Write the prediction for one row out for the user, as plain JSON data."""

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show: "KEY: …"; "" if nothing is."""
        if self.format not in _FORMATS:
            return f"format: found {self.format!r}, expected {' or '.join(_FORMATS)}"
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
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` wrote, but for the kind."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
        }
        return cls(**fields)
