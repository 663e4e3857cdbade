"""The analysis of regression."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..analysis import Analysis, Fold, Labels, Lexicon, scale_polarity
from ..class_analysis import bits
from ..metrics import Floats
from ..probes import ScoreProbe
from .task import Regression

BINS = 10
"""Equal bins between the lowest and the highest score, by which labels are rare or not."""
_REGIONS = ("negative", "neutral", "positive")
_WRONG = 0.25
"""A score is wrong that is off by more than a quarter of the labels' range."""
_SPREADS = 5.0
"""A label is suspected from so many robust standard deviations on."""


class RegressionAnalysis(Analysis):
    """What is known of scores."""

    task: Regression
    measures_features = True
    part_metrics = ("mse",)
    part_errors = True

    def majority(self, train_labels: Labels, n: int) -> Floats | None:
        """Predict the mean score."""
        return np.full(n, np.asarray(train_labels, dtype=np.float64).mean())

    def by_lexicon(
        self, lexicon: Lexicon, texts: Sequence[str], train_texts: Sequence[str], train_labels: Labels
    ) -> Floats | None:
        """Bring the polarity to the user's units by the least-squares line of slope 0 or more, fitted on train."""
        return self.task.clip(scale_polarity(lexicon, texts, train_texts, train_labels))

    def rarity(self, labels: Labels) -> Floats:
        """Return −log₂ of the share of each score's bin, of ten equal ones."""
        edges = np.linspace(labels.min(), labels.max(), BINS + 1)
        return bits(np.clip(np.searchsorted(edges, labels, side="right") - 1, 0, BINS - 1))

    def make_probe(self, penalty: float) -> ScoreProbe:
        """Return a ridge regression."""
        return ScoreProbe(penalty, self.task.range)

    def information(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return log₂ of the normal density about the prediction less that about the mean; see `measure_pvi`."""
        predicted, null, spread = np.empty(labels.shape), np.empty(labels.shape), np.empty(len(labels))
        for known, held_out, found in folds:
            seen = labels[known]
            predicted[held_out] = found
            null[held_out], spread[held_out] = seen.mean(), seen.std()
        least = 1e-6 * self.task.std
        error = max(float(np.sqrt(np.mean((labels - predicted) ** 2))), least)
        return _log_normal(labels, predicted, error) - _log_normal(labels, null, np.maximum(spread, least))

    def probe_losses(self, labels: Labels, folds: Sequence[Fold]) -> Floats:
        """Return the squared error, in training standard deviations squared."""
        predicted = np.empty(labels.shape)
        for _, held_out, found in folds:
            predicted[held_out] = found
        return np.asarray(((labels - predicted) / self.task.std) ** 2)

    def learning_curves(
        self, features: Floats, labels: Labels, options: dict[str, Any], epochs: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Train a linear regression: p(score) is exp(−z²/2), z the error in standard deviations, right is |z| ≤ ½."""
        from sklearn.neural_network import MLPRegressor

        targets = (labels - self.task.mean) / self.task.std
        model = MLPRegressor(**options)
        gold, right = np.empty((epochs, len(labels))), np.empty((epochs, len(labels)), dtype=bool)
        for epoch in range(epochs):
            error = model.partial_fit(features, targets).predict(features) - targets
            gold[epoch], right[epoch] = np.exp(-(error**2) / 2), np.abs(error) <= 0.5
        return gold, right

    wrong_means = "off by more than a quarter of the labels' range"

    def distance(self, predictions: Labels, gold: Labels) -> Floats:
        """Return the error's share of the labels' range."""
        width = float(gold.max() - gold.min()) or 1.0
        return np.asarray(np.abs(predictions - gold) / width)

    def is_wrong(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which scores are off by more than a quarter of the labels' range."""
        return self.distance(predictions, gold) > _WRONG

    def is_noise(self, predictions: Labels, gold: Labels) -> npt.NDArray[np.bool_]:
        """Return which scores are missed by more than five robust standard deviations.

        None is, unless predictions miss the scores clearly less than their median does: by more than two standard
        errors of the mean difference (our design).
        """
        errors = predictions - gold
        missed = np.abs(errors - np.median(errors))
        gained = np.abs(gold - np.median(gold)) - missed
        if gained.mean() <= 2 * gained.std() / np.sqrt(len(gold)):
            return np.zeros(len(gold), bool)
        return np.asarray(missed > _SPREADS * max(1.4826 * np.median(missed), 1e-12))

    def describe_parts(self, gold: Labels) -> list[dict[str, Any]]:
        """Return the thirds of the label range, with their bounds "low" and "high"."""
        edges, which = self._edges(gold), self._regions(gold)
        return [
            {"name": name, "low": edges[i], "high": edges[i + 1], "items": int((which == i).sum())}
            for i, name in enumerate(_REGIONS)
        ]

    def score_parts(self, gold: Labels, predictions: Labels) -> list[dict[str, float | None]]:
        """Return the MSE of each third of the label range."""
        errors, which = ((predictions - gold) ** 2).mean(axis=0), self._regions(gold)
        thirds = [errors[which == region] for region in range(len(_REGIONS))]
        return [{"mse": float(third.mean()) if len(third) else None} for third in thirds]

    def _edges(self, gold: Labels) -> Sequence[float]:
        low, high = self.task.range or (float(gold.min()), float(gold.max()))
        return [low, low + (high - low) / 3, low + 2 * (high - low) / 3, high]

    def _regions(self, gold: Labels) -> npt.NDArray[np.intp]:
        return np.searchsorted(self._edges(gold)[1:3], gold, side="right")


def _log_normal(values: Floats, mean: Floats, deviation: Any) -> Floats:
    """Return the logarithm to base 2 of the normal density."""
    logarithm = -0.5 * ((values - mean) / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
    return np.asarray(logarithm / np.log(2))
