"""What every task kind shares."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from equipoise.keys import is_blank, is_number, normalize

from .prompts import Question, default_templates, split_template

_LARGEST = float(np.finfo(np.float32).max)


class LabelError(ValueError):
    """A cell is no label of its task; the message says what was found and what was expected."""


class View(NamedTuple):
    """What a task reads: tasks with the same view share rows, and each row is encoded once."""

    source: str
    text: str
    pair: str | None


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
    """

    kind: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    """The metrics every table shows for this kind; the first is the default primary metric."""
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

    @property
    def view(self) -> View:
        """The source and columns this task reads."""
        return View(self.source, self.text, self.pair)

    @property
    def reported(self) -> tuple[str, ...]:
        """All metrics that a table can show."""
        return self.metrics + self.text_metrics

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

    @abstractmethod
    def questions(self) -> list[Question]:
        """What a language model is asked about a row; the answers of all questions, in order, are scored."""

    @abstractmethod
    def correct_answers(self, label: Any) -> list[str]:
        """Return the right answer to each question for an encoded label."""

    @cached_property
    def answers(self) -> int:
        """How many answers are scored on a row."""
        return sum(len(question.answers) for question in self.questions())

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates it can be asked by, each once: its own, the first of which it learns by, then the kind's."""
        own = (self.template, *self.variants) if self.template else ()
        return tuple(dict.fromkeys((*own, *default_templates(self.kind, self.pair is not None))))

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
    def answer(self, prediction: Any) -> dict[str, Any]:
        """Write the prediction for one row out for the user, as plain JSON data."""

    def reading(self) -> dict[str, Any]:
        """Return the fields that say where rows and labels come from; they can differ from those at training."""
        return {
            "source": self.source,
            "text": self.text,
            "pair": self.pair,
            "label": self.label,
            "auxiliary": self.auxiliary,
        }

    def contradiction(self, trained: Self) -> str:
        """Say which key of this open task states something else than the task of a trained model.

        Args:
            trained: the task of the model.

        Returns:
            "KEY: found …, expected …"; "" where all that is stated agrees.
        """
        if (self.pair is None) == (trained.pair is None):
            return ""
        if self.pair is None:
            return "pair: found none, expected the column of a second text"
        return f"pair: found {quote([self.pair])}, expected none"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain JSON data; `task_from_dict` reads it back."""
        return {"kind": self.kind, **asdict(self)}


def parse_number(cell: Any) -> float:
    """Read a finite number from a cell: a number, or a text of figures (full-width ones, too).

    Raises:
        LabelError: the cell is empty, no number, NaN or infinite, or too large for the model's 32 bits.
    """
    figures = normalize(cell) if isinstance(cell, str) else cell
    # `float` would also read "1_0" and "infinity", and bytes.
    if isinstance(figures, bytes) or (isinstance(figures, str) and not is_number(figures)):
        raise LabelError(f"found {show(cell)}, expected a number")
    try:
        number = float(figures)
    except (TypeError, ValueError):
        raise LabelError(f"found {show(cell)}, expected a number") from None
    except OverflowError:
        number = math.inf
    if isinstance(cell, bool) or not abs(number) <= _LARGEST:
        raise LabelError(f"found {show(cell)}, expected a finite number (up to ±3.4e38)")
    return number


def parse_name(cell: Any) -> str:
    """Read the name of a class from a cell, as it is spelled there.

    Raises:
        LabelError: the cell is empty, no finite number, or bytes that are no text.
    """
    if cell is None or isinstance(cell, bytes) or (isinstance(cell, float) and not math.isfinite(cell)):
        raise LabelError(f"found {show(cell)}, expected a class")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    name = str(cell).strip()
    if is_blank(name):
        raise LabelError("found an empty label, expected a class")
    return name


def order_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names of classes, numbers by value."""
    return tuple(sorted(names, key=_by_value))


def _by_value(name: str) -> tuple[int, float, str]:
    figures = normalize(name)
    return (0, float(figures), name) if is_number(figures) else (1, 0.0, name)


def as_text(cell: Any) -> Any:
    """Write a number as text; other cells stay as they are."""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell
    return str(cell) if is_number else cell


def show(cell: Any) -> str:
    """Write a cell for a message, cut where it is long."""
    return "an empty cell" if cell is None else shorten(repr(cell), 60)


def quote(words: Sequence[str], most: int = 20) -> str:
    """Join words for a message, the first 20 of many, fewer if they are long."""
    shown = [f"'{shorten(word, 60)}'" for word in words[:most]]
    while sum(map(len, shown)) > 200:
        shown.pop()
    listed = ", ".join(shown)
    return listed if len(words) == len(shown) else f"{listed} and {len(words) - len(shown)} more"


def shorten(text: str, width: int) -> str:
    """Cut a text where it is longer than a width."""
    return text if len(text) <= width else text[: width - 1] + "…"
