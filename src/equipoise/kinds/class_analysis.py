"""What kinds with classes share of their analysis: confident learning, shares, learning curves, recall and F1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .analysis import Fold
from .metrics import Floats

_CONFIDENT = 2 / 3
"""A class that is so probable is twice as probable as all others together."""


def bits(labels: npt.NDArray[Any]) -> Floats:
    """Return −log₂ of each label's share; labels are indices from 0 on, shape (rows,)."""
    counts = np.bincount(labels)
    return -np.log2(counts[labels] / len(labels))


def is_contradicted(probabilities: Floats, gold: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return where another class than the label is as probable as it is, on average, for rows of that class.

    This is confident learning (Northcutt, Jiang and Chuang 2019, arXiv 1911.00068). Its bounds are averages of the same
    model, so a model that knows nothing passes its own bounds on many rows. Two conditions are ours: the class is at
    least twice as probable as all others together, and over all rows the model agrees with the labels clearly better
    than chance (see `agrees`). Else no label is suspected.

    Args:
        probabilities: rows × classes.
        gold: class indices, shape (rows,).
    """
    classes = probabilities.shape[1]
    if not agrees(probabilities.argmax(axis=1), gold, classes):
        return np.zeros(len(gold), bool)
    bounds = np.array(
        [probabilities[gold == name, name].mean() if (gold == name).any() else np.inf for name in range(classes)]
    )
    bounds = np.maximum(bounds, _CONFIDENT) - 1e-9  # a mean of equal numbers may be rounded up
    above = np.where(probabilities >= bounds, probabilities, -np.inf)
    own = np.arange(len(gold))
    best = above.argmax(axis=1)
    return np.isfinite(above[own, best]) & (best != gold)


def agrees(chosen: npt.NDArray[Any], gold: npt.NDArray[Any], classes: int) -> bool:
    """Return whether answers agree with labels clearly better than chance.

    Cohen's kappa, which is 0 for every constant answer such as the majority class, is more than two of its standard
    errors under chance (Cohen 1960, doi 10.1177/001316446002000104).

    Args:
        chosen: class indices, shape (rows,).
        gold: class indices, shape (rows,).
        classes: how many classes there are.
    """
    shares = count_confusions(chosen, gold, classes) / max(1, len(gold))
    by_chance = float(shares.sum(axis=0) @ shares.sum(axis=1))
    beyond = float(np.trace(shares)) - by_chance
    return beyond > 2 * np.sqrt(by_chance * max(0.0, 1 - by_chance) / max(1, len(gold)))


def count_confusions(chosen: npt.NDArray[Any], gold: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """Count rows by class and chosen class, shape (classes, classes).

    Args:
        chosen: class indices, shape (rows,).
        gold: class indices, shape (rows,).
        classes: how many classes there are.
    """
    pairs = np.asarray(gold, np.int64) * classes + np.asarray(chosen, np.int64)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_information(labels: npt.NDArray[Any], folds: Sequence[Fold], n_classes: int) -> Floats:
    """Return log₂ p(class | features) − log₂ p(class) of each row, shape (rows,); see `measure_pvi`.

    Args:
        labels: class indices, shape (rows,).
        folds: cross-fitted probes' probabilities.
        n_classes: how many classes there are.
    """
    predicted, null = _predicted(labels, folds, n_classes)
    return np.asarray(np.log2(predicted / null))


def class_losses(labels: npt.NDArray[Any], folds: Sequence[Fold], n_classes: int) -> Floats:
    """Return −log₂ p(class | features) of each row, shape (rows,); see `class_information`."""
    return np.asarray(-np.log2(_predicted(labels, folds, n_classes)[0]))


def _predicted(labels: npt.NDArray[Any], folds: Sequence[Fold], n_classes: int) -> tuple[Floats, Floats]:
    """Return the probability of each row's class by the probes, and by the classes' shares."""
    predicted, null = np.empty((len(labels), n_classes)), np.empty((len(labels), n_classes))
    for known, held_out, found in folds:
        n = len(known)
        null[held_out] = (np.bincount(labels[known], minlength=n_classes) + 1) / (n + n_classes)
        predicted[held_out] = (n * found + null[held_out]) / (n + 1)
    each = np.arange(len(labels))
    return predicted[each, labels], null[each, labels]


def class_learning_curves(
    features: Floats, targets: npt.NDArray[Any], n_classes: int, options: dict[str, Any], epochs: int
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Train one linear classifier per column of targets (see `Analysis.learning_curves`).

    Args:
        features: rows × width.
        targets: class indices, rows × problems.
        n_classes: classes of each problem.
        options: of scikit-learn's `MLPClassifier`.
        epochs: how many.
    """
    from sklearn.neural_network import MLPClassifier

    models = [MLPClassifier(**options) for _ in range(targets.shape[1])]
    classes, each = np.arange(n_classes), np.arange(len(targets))
    gold, right = np.empty((epochs, len(targets))), np.empty((epochs, len(targets)), dtype=bool)
    for epoch in range(epochs):
        predicted = [
            model.partial_fit(features, target, classes=classes).predict_proba(features)
            for model, target in zip(models, targets.T, strict=True)
        ]
        gold[epoch] = np.mean([one[each, target] for one, target in zip(predicted, targets.T, strict=True)], axis=0)
        right[epoch] = np.all(
            [one.argmax(1) == target for one, target in zip(predicted, targets.T, strict=True)], axis=0
        )
    return gold, right


def score_classes(
    chosen: Sequence[npt.NDArray[np.bool_]], gold: Sequence[npt.NDArray[np.bool_]]
) -> list[dict[str, float | None]]:
    """Return F1 and recall of each class, averaged over seeds; None where no item has it.

    Args:
        chosen: for each class whether it is predicted, shape (seeds, rows).
        gold: for each class whether it is the label, shape (rows,).
    """
    return [_score_class(one, truth) for one, truth in zip(chosen, gold, strict=True)]


def _score_class(chosen: npt.NDArray[np.bool_], gold: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    if not gold.any():
        return {"recall": None, "f1": None}
    hits = (chosen & gold).sum(axis=1)
    return {
        "recall": float(np.mean(hits / gold.sum())),
        "f1": float(np.mean(2 * hits / (chosen.sum(axis=1) + gold.sum()))),
    }
