"""Metrics with bootstrap intervals, baselines, the run score, and paired tests."""

from .baselines import PROMPTED, lead, majority, vader
from .calibrating import calibrate
from .evaluating import evaluate
from .examples import Example, choose_examples
from .mistakes import LONGEST, DecidingWords, Mistake, TaskMistakes, find_mistakes
from .pairing import Items, item_losses, paired_tests
from .prompting import check_prompted, choose_prompted, predict_prompted, score_prompted, without_prompted
from .records import Record, as_stored, metrics_schema, run_score
from .scoring import score_task
from .splits import (
    UNCALIBRATED,
    Predictions,
    calibrate_predictions,
    predict_split,
    score_predictions,
    score_split,
    tune_tasks,
)
from .statistics import bootstrap_means, count_wins, delta_m, mean_interval, mean_ranks
from .trust import LEVELS, TrustCurves, score_trust, trust_curves

__all__ = [
    "LEVELS",
    "LONGEST",
    "PROMPTED",
    "UNCALIBRATED",
    "DecidingWords",
    "Example",
    "Items",
    "Mistake",
    "Predictions",
    "Record",
    "TaskMistakes",
    "TrustCurves",
    "as_stored",
    "bootstrap_means",
    "calibrate",
    "calibrate_predictions",
    "check_prompted",
    "choose_examples",
    "choose_prompted",
    "count_wins",
    "delta_m",
    "evaluate",
    "find_mistakes",
    "item_losses",
    "lead",
    "majority",
    "mean_interval",
    "mean_ranks",
    "metrics_schema",
    "paired_tests",
    "predict_prompted",
    "predict_split",
    "run_score",
    "score_predictions",
    "score_prompted",
    "score_split",
    "score_task",
    "score_trust",
    "trust_curves",
    "tune_tasks",
    "vader",
    "without_prompted",
]
