"""What can be said of a kind's labels and predictions without a model: baselines, difficulty, weak rows, parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .metrics import Floats
from .probes import LinearProbe
from .task import Task

Labels = npt.NDArray[Any]
"""Encoded labels, as `Table.labels` returns them."""
Lexicon = Callable[[Sequence[str]], Floats]
"""Returns the polarity of texts, from −1 to 1."""


# The line of a lexicon has two parameters: more rows would only take longer.
_MAX_FIT_ROWS = 5000


class Fold(NamedTuple):
    """One fold of a cross-fit.

    Args:
        known: the rows that a probe has learnt from.
        held_out: the other rows.
        predicted: the probe's predictions for the other rows.
    """

    known: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    predicted: Floats


class Analysis(ABC):
    """What a kind of task knows of its labels and predictions.

    Args:
        task: the task, its label space resolved.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    # Baselines

    def majority(self, train_labels: Labels, n: int) -> Floats | None:
        """Predict what is most frequent in the training labels for n rows; None where nothing is."""
        return None

    def by_lexicon(
        self, lexicon: Lexicon, texts: Sequence[str], train_texts: Sequence[str], train_labels: Labels
    ) -> Floats | None:
        """Predict by a lexicon's polarity of texts; None where it does not apply."""
        return None

    def lead(self, texts: Sequence[str], train_labels: Labels) -> Labels | None:
        """Predict by the first words of texts; None where it does not apply."""
        return None

    # Difficulty

    measures_features: bool = False
    """Whether `information` and `learning_curves` are there: difficulty is measured on features, too."""

    @abstractmethod
    def rarity(self, labels: Labels) -> Floats:
        """Return how rare each label is, in bits, shape (rows,)."""

    def label_entropy(self, labels: Labels) -> float | None:
        """Return the mean rarity of the labels, in bits; None where it means nothing."""
        return float(self.rarity(labels).mean())

    def make_probe(self, penalty: float) -> LinearProbe:
        """Return a linear probe of the task's labels, not fitted.

        Args:
            penalty: λ, how strongly the weights are drawn to zero.
        """
        raise NotImplementedError(f"task '{self.task.name}': there is no linear probe of kind {self.task.kind}")

    def information(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return how many bits cross-fitted probes give about each label beyond its share, shape (rows,)."""
        raise NotImplementedError(f"task '{self.task.name}': there is no linear probe of kind {self.task.kind}")

    def probe_losses(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return the loss of cross-fitted probes on each label, shape (rows,): bits for classes, squares for scores."""
        raise NotImplementedError(f"task '{self.task.name}': there is no linear probe of kind {self.task.kind}")

    def learning_curves(
        self, features: Floats, labels: Labels, options: dict[str, Any], epochs: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Train a linear model for some epochs.

        Args:
            features: standardized, rows × width.
            labels: the labels.
            options: of scikit-learn's `MLPClassifier` and `MLPRegressor`.
            epochs: how many.

        Returns:
            By epoch and row p(label), and whether the prediction is right; both epochs × rows.
        """
        raise NotImplementedError(f"task '{self.task.name}': there is no linear probe of kind {self.task.kind}")

    # Weak rows

    wrong_means: str = "another class than the label's"
    """What an answer is that `is_wrong` finds, in words."""

    @abstractmethod
    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return how far predictions are from labels, shape (rows,): about 0 is sure and right, 1 is wrong."""

    @abstractmethod
    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which predictions are wrong, shape (rows,)."""

    def confusion(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.int64] | None:
        """Count rows by class and answered class, shape (classes, classes); None for kinds without one class a row."""
        return None

    def is_noise(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which labels are suspected to be wrong, by a model's predictions for them, shape (rows,)."""
        return np.zeros(len(gold), bool)

    # Comparison

    part_metrics: tuple[str, ...] = ()
    """What is measured of each part of the test items, the main one first."""
    part_errors: bool = False
    """Whether the main one is an error: lower is better."""

    def describe_parts(self, gold: Labels) -> list[dict[str, Any]]:
        """Return the parts of the test items, such as classes: "name" and "items", the number of them."""
        return [{"name": name, "items": items} for name, items in self.task.count(gold).items()]

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return `part_metrics` of each part, averaged over seeds; None for a part without items.

        Args:
            gold: the labels.
            predictions: what the metrics read, with the seeds in front: (seeds, rows) or (seeds, rows, classes).
        """
        return []


def scale_polarity(lexicon: Lexicon, texts: Sequence[str], train_texts: Sequence[str], train_labels: Labels) -> Floats:
    """Bring the polarity of texts to a task's scale by the least-squares line of slope 0 or more, fitted on train.

    Args:
        lexicon: gives polarities.
        texts: the texts.
        train_texts: the training texts.
        train_labels: their scores, or ranks.

    Returns:
        A score for each text, unclipped.
    """
    labels = np.asarray(train_labels, dtype=np.float64)
    rows = np.arange(len(labels))
    if len(rows) > _MAX_FIT_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(rows), _MAX_FIT_ROWS, replace=False))
    labels = labels[rows]
    x = lexicon([train_texts[int(row)] for row in rows])
    variance = x.var()
    slope = max(0.0, np.mean((x - x.mean()) * (labels - labels.mean())) / variance) if variance > 0 else 0.0
    return np.asarray(labels.mean() + slope * (lexicon(texts) - x.mean()))
