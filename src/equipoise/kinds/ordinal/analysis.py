"""The analysis of ordinal tasks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Fold, Labels, Lexicon, scale_polarity
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
from ..probes import OrdinalProbe
from .task import Ordinal, median_class


class OrdinalAnalysis(Analysis):
    """What is known of classes in order."""

    task: Ordinal
    measures_features = True
    part_metrics = ("f1", "recall")

    def majority(self, train_labels: Labels, n: int) -> Floats | None:
        """Predict the median class, the lower one of two.

        No constant has a smaller error in ranks; the weighted kappa of every constant is 0.
        """
        ranked = np.sort(np.asarray(train_labels, dtype=np.int64))
        return self._certain(np.full(n, ranked[(len(ranked) - 1) // 2]))

    def by_lexicon(
        self, lexicon: Lexicon, texts: Sequence[str], train_texts: Sequence[str], train_labels: Labels
    ) -> Floats | None:
        """Bring the polarity to ranks by the least-squares line of slope 0 or more, fitted on train, and round."""
        ranks = scale_polarity(lexicon, texts, train_texts, train_labels)
        return self._certain(np.clip(np.rint(ranks), 0, len(self.task.classes) - 1).astype(np.int64))

    def rarity(self, labels: Labels) -> Floats:
        """Return −log₂ of each class's share."""
        return bits(labels)

    def make_probe(self, penalty: float) -> OrdinalProbe:
        """Return one logistic regression for each conditional output."""
        return OrdinalProbe(penalty, len(self.task.classes))

    def information(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return log₂ p(class | features) − log₂ p(class); see `measure_pvi`."""
        return class_information(labels, folds, len(self.task.classes))

    def probe_losses(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return −log₂ p(class | features)."""
        return class_losses(labels, folds, len(self.task.classes))

    def learning_curves(
        self, features: Floats, labels: Labels, options: dict[str, Any], epochs: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Train a linear classifier of the classes, without their order; see `Analysis.learning_curves`."""
        return class_learning_curves(features, labels[:, None], len(self.task.classes), options, epochs)

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return the expected error in ranks, as a share of the largest possible one."""
        ranks = np.arange(len(self.task.classes))
        errors = np.abs(ranks - np.asarray(gold)[:, None])
        return np.asarray((predictions * errors).sum(axis=1) / (len(ranks) - 1))

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where another class is predicted."""
        return np.asarray(median_class(predictions) != gold)

    def confusion(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.int64]:
        """Count rows by class and chosen class."""
        return count_confusions(median_class(predictions), gold, len(self.task.classes))

    def is_noise(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where the model contradicts the class with confidence."""
        return is_contradicted(predictions, gold)

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return F1 and recall of each class."""
        numbers = range(len(self.task.classes))
        return score_classes([predictions[:, :, i] > 0 for i in numbers], [gold == i for i in numbers])

    def _certain(self, classes: npt.NDArray[np.int64]) -> Floats:
        return np.eye(len(self.task.classes))[classes]
