"""The regression task kind: a continuous score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..calibration import Calibration, fit_line
from ..conformity import Floats
from ..labels import LabelError, parse_number
from ..prompts import Question, make_grid
from ..remarks import Remark, compare_means, remark_scores
from ..task import Task

_ROUNDING = 1e-9
_HALF_STEP = 2.0**-24
"""By how much, as a share, a number changes at most when it is rounded to 32 bits."""


@dataclass(frozen=True)
class Regression(Task):
    """A score, standardized inside the model and reported in the user's units.

    Args:
        range: lowest and highest possible score in the user's units; predictions are clipped to it, and a
            label outside it is an error. None means unbounded.
        mean: mean of the training labels (found by `fit`).
        std: standard deviation of the training labels (found by `fit`).
    """

    kind: ClassVar[str] = "regression"
    metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman", "mse", "mae")
    primary_metrics: ClassVar[tuple[str, ...]] = ("pearson", "spearman", "cosine")
    calibrated_metrics: ClassVar[tuple[str, ...]] = ("mse", "mae")
    set_methods: ClassVar[tuple[str, ...]] = ("absolute",)
    size_metric: ClassVar[str] = "interval_width"
    item_metric: ClassVar[str] = "mse"
    explained_unit: ClassVar[str] = "score"
    label_type: ClassVar[str] = "float64"
    template_fields: ClassVar[tuple[str, ...]] = ("text", "pair", "task", "low", "high")
    label_statistics: ClassVar[str] = "regression"
    default_questions: ClassVar[tuple[str, ...]] = (
        "What is the {task} of the text above{towards}, from {low} to {high}? Answer with a number.",
        "Rate the {task} of this text{towards} on a scale from {low} to {high}.",
        "On a scale from {low} to {high}, which {task} does the text above have{towards}?",
        "Read the text above and give its {task}{towards} as a number. {low} is the lowest, {high} the highest.",
    )

    range: tuple[float, float] | None = None
    mean: float = 0.0
    std: float = 1.0

    @property
    def has_distribution(self) -> bool:
        """Whether a model gives each answer a probability: a language model does, to the numbers of the grid."""
        return self.is_prompted

    @property
    def takes_numbers(self) -> bool:
        """Whether a label cell holds a number: it does."""
        return True

    @property
    def prompt_problem(self) -> str:
        """Why a language model cannot be asked, "" if it can."""
        return "it has no range to write scores on" if self.range is None else ""

    def parse(self, cell: Any) -> float:
        """Read a number within `range`."""
        number = parse_number(cell)
        if self.range is None or self.range[0] <= number <= self.range[1]:
            return number
        low, high = self.range
        bound = low if number < low else high
        # A bound that a file holds in 32 bits, such as 0.3 as 0.30000001, is the bound.
        if abs(number - bound) <= _HALF_STEP * abs(bound):
            return bound
        raise LabelError(f"found {number:.9g}, expected a number from {low:g} to {high:g} (the task's range)")

    def label_contradiction(self, trained: Self) -> str:
        """Say whether the range is another than that of a trained model."""
        if self.range is not None and trained.range is not None and self.range != trained.range:
            return f"range: found {list(self.range)}, expected {list(trained.range)}"
        return ""

    def fit(self, labels: Sequence[Any]) -> Self:
        """Take mean and standard deviation from the training labels."""
        if min(labels) == max(labels):
            raise LabelError(f"every training label is {labels[0]:g}, expected scores that differ")
        with np.errstate(over="ignore"):
            mean, std = float(np.mean(labels)), float(np.std(labels))
        # The model holds them in 32 bits, where they must be neither infinite nor zero.
        if not np.finfo(np.float32).tiny <= std <= np.finfo(np.float32).max:
            low, high = min(labels), max(labels)
            raise LabelError(f"the training labels go from {low:g} to {high:g}, expected scores nearer to 1 in size")
        return self.replace(mean=mean, std=std)

    def words_of(self, label: Any) -> tuple[str, ...]:
        """Return the score in figures."""
        return (f"{label:g}",)

    def contradicts(self, one: Any, other: Any) -> bool:
        """Whether two scores are more than half a standard deviation of the training labels apart."""
        return bool(abs(one - other) > 0.5 * self.std)

    def inspect(self, labels: Sequence[Any]) -> list[Remark]:
        """Say whether scores pile up at an end of the range, use little of it, or stand far from the others."""
        return remark_scores(np.asarray(labels, dtype=np.float64), self.range)

    def compare_splits(self, one: Sequence[Any], other: Sequence[Any]) -> str:
        """Say how the mean scores differ."""
        return compare_means(one, other)

    def encode(self, label: Any) -> float:
        """Return the score as it is; the head standardizes it."""
        return float(label)

    def clip(self, predictions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return scores within the range; to be called in 64 bits, as the nearest 32-bit number may lie outside."""
        return predictions if self.range is None else np.clip(predictions, *self.range)

    def fit_calibration(self, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Calibration | None:
        """Fit the least-squares line from scores to labels; none if, clipped to the range, it is no better."""
        line = fit_line(predictions, gold)
        if line is None:
            return None
        before, after = (
            np.mean((scores - gold) ** 2) for scores in (predictions, self.apply_calibration(predictions, line))
        )
        return line if after < before else None

    def apply_calibration(self, predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
        """Return the line's scores, within the range."""
        return self.clip(calibration.slope * np.asarray(predictions, dtype=np.float64) + calibration.intercept)

    def score_conformity(self, method: str, predictions: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return the absolute error, shape (n, 1)."""
        return np.asarray(np.abs(predictions - gold), dtype=np.float64)[:, None]

    def make_sets(self, method: str, predictions: npt.NDArray[Any], bounds: Floats) -> npt.NDArray[Any]:
        """Return the ends of intervals around the scores, within the range; shape (n, 2)."""
        return self.clip(np.stack([predictions - bounds[0], predictions + bounds[0]], axis=1))

    def covers(self, sets: npt.NDArray[Any], gold: npt.NDArray[Any]) -> Floats:
        """Return whether each row's interval holds its score, 0 or 1; so it does on its ends, up to rounding."""
        slack = _ROUNDING * np.maximum(1.0, np.abs(gold))
        return np.asarray((gold >= sets[:, 0] - slack) & (gold <= sets[:, 1] + slack), dtype=np.float64)

    def sizes(self, sets: npt.NDArray[Any]) -> Floats:
        """Return the widths of the intervals, in the user's units."""
        return np.asarray(sets[:, 1] - sets[:, 0], dtype=np.float64)

    def describe_set(self, found: npt.NDArray[Any], prediction: Any) -> dict[str, Any]:
        """Return the ends of the interval."""
        return {"interval": [float(end) for end in found]}

    def grid(self) -> tuple[str, ...]:
        """The scores that answers are written in; the prediction is their mean under the model."""
        assert self.range is not None  # the run file asks for it
        return make_grid(*self.range)

    def questions(self) -> list[Question]:
        """Ask for a number on the grid."""
        grid = self.grid()
        return [Question({"low": grid[0], "high": grid[-1]}, grid)]

    def correct_answers(self, label: Any) -> list[str]:
        """Return the nearest number on the grid."""
        return [min(self.grid(), key=lambda word: abs(float(word) - label))]

    def merge(self, labels: Sequence[Any]) -> float:
        """Return the mean."""
        return fmean(labels)

    @property
    def merge_rule(self) -> str:
        """What `merge` does, for notes."""
        return "mean taken"

    @property
    def summary(self) -> str:
        """What it predicts, with its range."""
        return self.kind if self.range is None else "{}, {:g} to {:g}".format(self.kind, *self.range).replace("-", "−")

    def find_problem(self) -> str:
        """Say what is wrong with a task read from a file that its types do not show."""
        low, high = self.range or (0.0, 1.0)
        if not all(map(math.isfinite, (self.mean, self.std, low, high))) or self.std <= 0 or low >= high:
            return "std: found no finite mean, range, and deviation above 0"
        return super().find_problem()

    def explained(self, prediction: Any) -> dict[str, int]:
        """Explain the score."""
        return {"score": 0}

    def show_label(self, label: Any) -> str:
        """Return the score with three digits."""
        return f"{float(label):.3g}"

    def answer(self, prediction: Any) -> dict[str, Any]:
        """Return the score."""
        return {"score": float(self.clip(np.asarray(prediction, dtype=np.float64)))}
