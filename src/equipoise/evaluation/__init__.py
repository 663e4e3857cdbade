"""Metrics with bootstrap intervals, baselines, the run score, and paired tests."""

from .asking import check_asked, choose_asked, predict_asked, score_asked, without_asked
from .baselines import ASKED, lead, majority, vader
from .evaluating import evaluate
from .examples import Example, choose_examples
from .metrics import METRICS, Metric
from .pairing import Items, item_losses, paired_tests
from .records import Record, as_stored, run_score
from .scoring import score_task
from .splits import Predictions, predict_split, score_predictions, score_split, tune_tasks

__all__ = [
    "ASKED",
    "METRICS",
    "Example",
    "Items",
    "Metric",
    "Predictions",
    "Record",
    "as_stored",
    "check_asked",
    "choose_asked",
    "choose_examples",
    "evaluate",
    "item_losses",
    "lead",
    "majority",
    "paired_tests",
    "predict_asked",
    "predict_split",
    "run_score",
    "score_asked",
    "score_predictions",
    "score_split",
    "score_task",
    "tune_tasks",
    "vader",
    "without_asked",
]
