"""Scikit-learn estimators for texts: they train as `equipoise.train` does, and fit into pipelines and searches."""

from ._multi_task import MultiTaskEstimator
from ._single_task import TextClassifier, TextRegressor

__all__ = ["MultiTaskEstimator", "TextClassifier", "TextRegressor"]
