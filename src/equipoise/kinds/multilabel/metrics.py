"""Metrics of multilabel tasks."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics import MACRO_F1, Floats, Metric, Statistic, mean_metric, occurrences_and_hits
from ..probability_metrics import BRIER, LABEL_ECE


def micro_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
    """Prepare the F1 of all labels counted together; 0 where none occurs in gold or among the predictions."""
    count = occurrences_and_hits(gold, predictions)

    def statistic(counts: Floats) -> Floats:
        occurrences, hits = count(counts)
        return 2 * hits.sum(axis=1) / np.maximum(occurrences.sum(axis=1), 1)

    return statistic


def jaccard(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Floats:
    """Return each row's share of common labels among those in gold or predicted; 1 where there are none."""
    both, either = (gold & predictions).sum(axis=1), (gold | predictions).sum(axis=1)
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


METRICS = {
    "macro_f1": MACRO_F1,
    "micro_f1": Metric("micro-F1", True, micro_f1),
    "jaccard": mean_metric("Jaccard", True, jaccard),
    "ece": LABEL_ECE,
    "brier": BRIER,
}
