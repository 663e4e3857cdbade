"""Metrics with bootstrap intervals, baselines, and the run score."""

from .baselines import majority, vader
from .metrics import METRICS, Metric
from .records import Record, run_score
from .scoring import score_task
from .splits import evaluate, score_model, score_split

__all__ = [
    "METRICS",
    "Metric",
    "Record",
    "evaluate",
    "majority",
    "run_score",
    "score_model",
    "score_split",
    "score_task",
    "vader",
]
