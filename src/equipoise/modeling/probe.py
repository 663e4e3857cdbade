"""A linear probe: what the frozen features of a model tell about a task."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Classification, Multilabel, Regression, Task

Floats = npt.NDArray[np.float64]

PENALTIES = (1e4, 1e3, 1e2, 1e1, 1.0)
"""λ of ½‖w‖², the strongest first: `alpha` of Ridge (on the squared error), 1 / `C` of LogisticRegression."""
_ITERATIONS = 1000
_NEVER = 1e4
"""Minus this is the logit of what no training row has."""


class LinearProbe:
    """A linear model on standardized features, by scikit-learn (after Alain and Bengio 2016, arXiv 1610.01644).

    Classification is LogisticRegression, multilabel one LogisticRegression a label, regression Ridge.

    Args:
        task: the task, its label space resolved.
        penalty: λ, how strongly the weights are drawn to zero.
    """

    def __init__(self, task: Task, penalty: float) -> None:
        self.task = task
        self.penalty = penalty
        self._models: list[Any] = []

    def fit(self, features: Floats, labels: npt.NDArray[Any]) -> "LinearProbe":
        """Learn from features (rows × width) and labels, as `Table.labels` returns them."""
        from sklearn.dummy import DummyClassifier
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import StandardScaler

        self._scaler = StandardScaler().fit(features)
        scaled = self._scaler.transform(features)
        # One problem a label, or the task's only one.
        for target in labels.T if isinstance(self.task, Multilabel) else [labels]:
            if isinstance(self.task, Regression):
                model = Ridge(alpha=self.penalty)
            elif len(np.unique(target)) == 1:
                model = DummyClassifier()
            else:
                model = LogisticRegression(C=1 / self.penalty, max_iter=_ITERATIONS)
            with warnings.catch_warnings():
                # A weak penalty may need more steps than that; dev would choose it only if it is good as it is.
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._models.append(model.fit(scaled, target))
        return self

    def predict(self, features: Floats) -> Floats:
        """Predict for features (rows × width): probabilities (rows × classes, or × labels), or scores (rows,)."""
        scaled = self._scaler.transform(features)
        if isinstance(self.task, Multilabel):
            return np.stack([_spread(model, scaled, 2)[:, 1] for model in self._models], axis=1)
        (model,) = self._models
        if isinstance(self.task, Regression):
            scores = model.predict(scaled)
            return scores if self.task.range is None else np.clip(scores, *self.task.range)
        assert isinstance(self.task, Classification)
        return _spread(model, scaled, len(self.task.classes))

    def as_layer(self) -> tuple[Floats, Floats]:
        """Return a linear layer that gives the same: weight (outputs × width) and bias (outputs,).

        Its outputs are logits of the classes, or of each label, or scores, unclipped.
        """
        from sklearn.dummy import DummyClassifier

        scale, mean = self._scaler.scale_, self._scaler.mean_
        if isinstance(self.task, Classification):
            (model,) = self._models
            weight = np.zeros((len(self.task.classes), len(mean)))
            bias = np.full(len(self.task.classes), -_NEVER)
            # Of two classes scikit-learn has one logit, of one class none.
            few = len(model.classes_) < 3
            weight[model.classes_], bias[model.classes_] = 0.0, 0.0
            if not isinstance(model, DummyClassifier):
                chosen = model.classes_[1:] if few else model.classes_
                weight[chosen], bias[chosen] = model.coef_, model.intercept_
        else:
            parts = [_logit(model, len(mean)) for model in self._models]
            weight, bias = (np.stack(side) for side in zip(*parts, strict=True))
        weight = weight / scale
        return weight, bias - weight @ mean


def _logit(model: Any, width: int) -> tuple[Floats, float]:
    """Return weight and bias of a label's logit, or of a score."""
    from sklearn.dummy import DummyClassifier

    if isinstance(model, DummyClassifier):
        return np.zeros(width), _NEVER * (2.0 * model.classes_[0] - 1)
    return model.coef_.reshape(width), float(np.ravel(model.intercept_)[0])


def _spread(model: Any, scaled: Floats, classes: int) -> Floats:
    """Return probabilities of all classes; one that no training row has is never predicted."""
    probabilities = np.zeros((len(scaled), classes))
    probabilities[:, model.classes_] = model.predict_proba(scaled)
    return probabilities
