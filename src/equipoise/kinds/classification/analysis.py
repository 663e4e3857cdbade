"""The analysis of classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Fold, Labels, Lexicon
from ..class_analysis import (
    bits,
    class_information,
    class_learning_curves,
    class_losses,
    count_confusions,
    is_contradicted,
    score_classes,
)
from ..metrics import Floats
from ..probes import ClassProbe
from .task import Classification

_LEXICON_CUT = 0.05


class ClassificationAnalysis(Analysis):
    """What is known of classes."""

    task: Classification
    measures_features = True
    part_metrics = ("f1", "recall")

    def majority(self, train_labels: Labels, n: int) -> Floats | None:
        """Predict the most frequent class, the first of several."""
        counts = np.bincount(np.asarray(train_labels, dtype=np.int64), minlength=len(self.task.classes))
        return np.eye(len(self.task.classes))[np.full(n, counts.argmax())]

    def by_lexicon(
        self, lexicon: Lexicon, texts: Sequence[str], train_texts: Sequence[str], train_labels: Labels
    ) -> Floats | None:
        """Cut the polarity at ±0.05 into the lowest, the middle and the highest of three classes cut from a score."""
        if not self.task.from_score or len(self.task.classes) != 3:
            return None
        polarity = lexicon(texts)
        return np.eye(3)[1 + (polarity >= _LEXICON_CUT) - (polarity <= -_LEXICON_CUT)]

    def rarity(self, labels: Labels) -> Floats:
        """Return −log₂ of each class's share."""
        return bits(labels)

    def make_probe(self, penalty: float) -> ClassProbe:
        """Return a logistic regression of the classes."""
        return ClassProbe(penalty, len(self.task.classes))

    def information(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return log₂ p(class | features) − log₂ p(class); see `measure_pvi`."""
        return class_information(labels, folds, len(self.task.classes))

    def probe_losses(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return −log₂ p(class | features)."""
        return class_losses(labels, folds, len(self.task.classes))

    def learning_curves(
        self, features: Floats, labels: Labels, options: dict[str, Any], epochs: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Train a linear classifier; see `Analysis.learning_curves`."""
        return class_learning_curves(features, labels[:, None], len(self.task.classes), options, epochs)

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − p(class)."""
        return np.asarray(1 - predictions[np.arange(len(gold)), gold])

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where another class is predicted."""
        return np.asarray(self.task.decide(predictions).argmax(axis=1) != gold)

    def confusion(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.int64]:
        """Count rows by class and chosen class."""
        return count_confusions(self.task.decide(predictions).argmax(axis=1), gold, len(self.task.classes))

    def is_noise(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where the model contradicts the class with confidence."""
        return is_contradicted(predictions, gold)

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return F1 and recall of each class."""
        chosen, numbers = predictions.argmax(axis=2), range(len(self.task.classes))
        return score_classes([chosen == number for number in numbers], [gold == number for number in numbers])
