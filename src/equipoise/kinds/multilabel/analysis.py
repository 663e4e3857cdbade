"""The analysis of multilabel tasks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Fold, Labels
from ..class_analysis import bits, class_learning_curves, is_contradicted, score_classes
from ..metrics import Floats
from ..probes import LabelsProbe
from .task import Multilabel


class MultilabelAnalysis(Analysis):
    """What is known of labels that apply or not."""

    task: Multilabel
    measures_features = True
    part_metrics = ("f1", "recall")

    def majority(self, train_labels: Labels, n: int) -> Floats | None:
        """Predict the labels that apply to more than half of the training rows."""
        return np.tile(np.asarray(train_labels).mean(axis=0) > 0.5, (n, 1)).astype(np.float64)

    def rarity(self, labels: Labels) -> Floats:
        """Return −log₂ of the share of each label's value, summed over the labels."""
        return np.asarray(np.sum([bits(column) for column in labels.T], axis=0))

    def make_probe(self, penalty: float) -> LabelsProbe:
        """Return one logistic regression per label."""
        return LabelsProbe(penalty)

    def information(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return log₂ p(value | features) − log₂ p(value), summed over the labels; see `measure_pvi`."""
        predicted, null = _predicted(labels, folds)
        return np.asarray(np.log2(predicted / null).sum(axis=1))

    def probe_losses(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return −log₂ p(value | features), summed over the labels."""
        return np.asarray(-np.log2(_predicted(labels, folds)[0]).sum(axis=1))

    def learning_curves(
        self, features: Floats, labels: Labels, options: dict[str, Any], epochs: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Train one linear classifier per label: p(label) is the mean over them, and right means all of them."""
        return class_learning_curves(features, labels, 2, options, epochs)

    wrong_means = "a label too many, or too few"

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return 1 − p of the value that is missed most."""
        return np.asarray(np.abs(predictions - gold).max(axis=1))

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where any label is decided wrongly."""
        return np.asarray((self.task.decide(predictions) != gold).any(axis=1))

    def is_noise(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return where the model contradicts the value of any label with confidence."""
        both = [np.stack([1 - predictions[:, i], predictions[:, i]], axis=1) for i in range(gold.shape[1])]
        return np.any([is_contradicted(one, gold[:, i]) for i, one in enumerate(both)], axis=0)

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return F1 and recall of each label."""
        numbers = range(len(self.task.classes))
        return score_classes([predictions[:, :, i] > 0 for i in numbers], [gold[:, i] > 0 for i in numbers])


def _predicted(labels: Labels, folds: Sequence[Fold]) -> tuple[Floats, Floats]:
    """Return the probability of each row's value of each label by the probes, and by the labels' shares."""
    predicted, null = np.empty(labels.shape), np.empty(labels.shape)
    for known, held_out, found in folds:
        n = len(known)
        null[held_out] = (labels[known].sum(axis=0) + 1) / (n + 2)
        predicted[held_out] = (n * found + null[held_out]) / (n + 1)
    of_label, of_null = (np.where(labels == 1, chance, 1 - chance) for chance in (predicted, null))
    return of_label, of_null
