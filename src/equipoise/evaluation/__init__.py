"""Metrics with bootstrap intervals, baselines, and the run score."""

from .baselines import majority, vader
from .metrics import METRICS, Metric
from .records import Record, run_score
from .scoring import score_task
from .splits import Predictions, evaluate, predict_split, score_predictions, score_split

__all__ = [
    "METRICS",
    "Metric",
    "Predictions",
    "Record",
    "evaluate",
    "majority",
    "predict_split",
    "run_score",
    "score_predictions",
    "score_split",
    "score_task",
    "vader",
]
