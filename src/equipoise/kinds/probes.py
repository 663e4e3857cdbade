"""Linear probes: what the frozen features of a model tell about a task, by scikit-learn."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .metrics import Floats

PENALTIES = (1e4, 1e3, 1e2, 1e1, 1.0)
"""λ of ½‖w‖², the strongest first: `alpha` of Ridge (on the squared error), 1 / `C` of LogisticRegression."""
_ITERATIONS = 1000
_NEVER = 1e4
"""Minus this is the logit of what no training row has."""


class LinearProbe(ABC):
    """A linear model on standardized features, by scikit-learn (after Alain and Bengio 2016, arXiv 1610.01644).

    Args:
        penalty: λ, how strongly the weights are drawn to zero.
    """

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty
        self._models: list[Any] = []

    def fit(self, features: Floats, labels: npt.NDArray[Any]) -> Self:
        """Learn from features (rows × width) and labels, as `Table.labels` returns them."""
        # Here and below, because scikit-learn takes a second to import.
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(features)
        scaled = self._scaler.transform(features)
        for rows, target in self._problems(labels):
            model = self._make_model(target)
            with warnings.catch_warnings():
                # A weak penalty may need more steps than that; dev would choose it only if it is good as it is.
                warnings.simplefilter("ignore", ConvergenceWarning)
                # Few rows may have many classes.
                warnings.filterwarnings("ignore", "The number of unique classes")
                self._models.append(model.fit(scaled[rows], target))
        return self

    def predict(self, features: Floats) -> Floats:
        """Predict for features (rows × width): probabilities (rows × classes, or × labels), or scores (rows,)."""
        return self._predict(self._scaler.transform(features))

    def as_layer(self) -> tuple[Floats, Floats]:
        """Return a linear layer that gives the same: weight (outputs × width) and bias (outputs,).

        Its outputs are logits of the classes, or of each label, or scores, unclipped.
        """
        mean = self._scaler.mean_
        weight, bias = self._scaled_layer(len(mean))
        weight = weight / self._scaler.scale_
        return weight, bias - weight @ mean

    def _problems(self, labels: npt.NDArray[Any]) -> Sequence[tuple[Any, npt.NDArray[Any]]]:
        """Return for each problem which rows it learns from, an index, and their targets."""
        return [(slice(None), labels)]

    def _make_model(self, target: npt.NDArray[Any]) -> Any:
        """Return the model of a problem, not fitted: by default of classes."""
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression

        if len(np.unique(target)) == 1:
            return DummyClassifier()
        return LogisticRegression(C=1 / self.penalty, max_iter=_ITERATIONS)

    @abstractmethod
    def _predict(self, scaled: Floats) -> Floats: ...

    def _scaled_layer(self, width: int) -> tuple[Floats, Floats]:
        parts = [_logit(model, width) for model in self._models]
        weight, bias = (np.stack(side) for side in zip(*parts, strict=True))
        return weight, bias


class ClassProbe(LinearProbe):
    """Logistic regression of one class among several.

    Args:
        penalty: λ.
        n_classes: how many classes there are, also those that no training row has.
    """

    def __init__(self, penalty: float, n_classes: int) -> None:
        super().__init__(penalty)
        self._n_classes = n_classes

    def _predict(self, scaled: Floats) -> Floats:
        (model,) = self._models
        return _spread(model, scaled, self._n_classes)

    def _scaled_layer(self, width: int) -> tuple[Floats, Floats]:
        (model,) = self._models
        weight, bias = np.zeros((self._n_classes, width)), np.full(self._n_classes, -_NEVER)
        weight[model.classes_], bias[model.classes_] = 0.0, 0.0
        if hasattr(model, "coef_"):
            # Of two classes scikit-learn has one logit.
            chosen = model.classes_[1:] if len(model.classes_) < 3 else model.classes_
            weight[chosen], bias[chosen] = model.coef_, model.intercept_
        return weight, bias


class LabelsProbe(LinearProbe):
    """One logistic regression per label."""

    def _problems(self, labels: npt.NDArray[Any]) -> Sequence[tuple[Any, npt.NDArray[Any]]]:
        return [(slice(None), column) for column in labels.T]

    def _predict(self, scaled: Floats) -> Floats:
        return np.stack([_spread(model, scaled, 2)[:, 1] for model in self._models], axis=1)


class OrdinalProbe(LinearProbe):
    """One logistic regression for each class but the highest: whether it is a higher one, of rows where it is no lower.

    Its layer gives the conditional logits, which the chain rule turns into the probabilities of the classes.

    Args:
        penalty: λ.
        n_classes: how many classes there are, also those that no training row has.
    """

    def __init__(self, penalty: float, n_classes: int) -> None:
        super().__init__(penalty)
        self._n_classes = n_classes

    def _problems(self, labels: npt.NDArray[Any]) -> Sequence[tuple[Any, npt.NDArray[Any]]]:
        found = []
        for k in range(self._n_classes - 1):
            rows = np.flatnonzero(labels >= k)
            # Where all training rows are lower, nothing says that there is anything higher.
            found.append((rows, (labels[rows] > k).astype(int)) if len(rows) else ([0], np.zeros(1, int)))
        return found

    def _predict(self, scaled: Floats) -> Floats:
        higher = np.stack([_spread(model, scaled, 2)[:, 1] for model in self._models], axis=1)
        reached = np.cumprod(np.hstack([np.ones((len(scaled), 1)), higher]), axis=1)
        return np.asarray(reached * np.hstack([1 - higher, np.ones((len(scaled), 1))]))


class ScoreProbe(LinearProbe):
    """Ridge regression of a score.

    Args:
        penalty: λ.
        range: predictions are clipped to it; None means unbounded.
    """

    def __init__(self, penalty: float, range: tuple[float, float] | None = None) -> None:
        super().__init__(penalty)
        self._range = range

    def _make_model(self, target: npt.NDArray[Any]) -> Any:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=self.penalty)

    def _predict(self, scaled: Floats) -> Floats:
        (model,) = self._models
        scores: Floats = model.predict(scaled)
        return scores if self._range is None else np.clip(scores, *self._range)


def _logit(model: Any, width: int) -> tuple[Floats, float]:
    """Return weight and bias of a label's logit, or of a score."""
    if not hasattr(model, "coef_"):
        return np.zeros(width), _NEVER * (2.0 * model.classes_[0] - 1)
    return model.coef_.reshape(width), float(np.ravel(model.intercept_)[0])


def _spread(model: Any, scaled: Floats, classes: int) -> Floats:
    """Return probabilities of all classes; one that no training row has is never predicted."""
    probabilities = np.zeros((len(scaled), classes))
    probabilities[:, model.classes_] = model.predict_proba(scaled)
    return probabilities
