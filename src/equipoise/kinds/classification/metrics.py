"""Metrics of classification."""

from ..metrics import ACCURACY, MACRO_F1, MACRO_RECALL
from ..probability_metrics import BRIER, CLASS_ECE

METRICS = {
    "macro_f1": MACRO_F1,
    "accuracy": ACCURACY,
    "macro_recall": MACRO_RECALL,
    "ece": CLASS_ECE,
    "brier": BRIER,
}
