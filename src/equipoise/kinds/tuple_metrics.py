"""Metrics of sets of tuples, such as (term, polarity): those predicted for a text against those of its label.

Gold and predictions are JSON lists of objects, one for each text (see `spans.write_items`). Of each text the sets are
compared, and counts are summed over texts: micro-F1, by which aspect-based sentiment analysis is scored. A text without
tuples is an answer like any other; an answer that cannot be read (see `spans.write_unparsed`) finds nothing, and is
wrong also where there is nothing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .metrics import Floats, Metric, Statistic, mean_metric
from .spans import find_unparsed, load_items

Tuples = Callable[[dict[str, Any]], tuple[Any, ...]]
"""Which fields of an object are compared."""


def tuple_sets(encoded: npt.NDArray[Any], fields: Tuples) -> list[frozenset[tuple[Any, ...]]]:
    """Return the tuples of each text."""
    return [frozenset(map(fields, load_items(str(text)))) for text in encoded]


def micro_f1(gold: npt.NDArray[Any], predictions: npt.NDArray[Any], fields: Tuples) -> float:
    """Return micro-F1 of exact tuples; 0 where there are none in gold and none predicted."""
    return micro_f1_metric("", fields)(gold, predictions)


def micro_f1_metric(label: str, fields: Tuples) -> Metric:
    """Return micro-F1 of exact tuples; 0 where there are none in gold and none predicted.

    Args:
        label: its name in tables.
        fields: which fields are compared.
    """

    def prepare(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        golds, found = tuple_sets(gold, fields), tuple_sets(predictions, fields)
        columns = np.array(
            [(len(one & other), len(one) + len(other)) for one, other in zip(golds, found, strict=True)], dtype=float
        ).reshape(-1, 2)

        def statistic(counts: Floats) -> Floats:
            totals = counts @ columns
            return 2 * totals[:, 0] / np.maximum(totals[:, 1], 1)

        return statistic

    return Metric(label, True, prepare)


def text_f1(fields: Tuples, gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Floats:
    """Return each text's F1 of exact tuples, 1 where there are none and none is predicted; 0 if it cannot be read."""
    pairs = zip(tuple_sets(gold, fields), tuple_sets(predictions, fields), strict=True)
    found = [2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0 for one, other in pairs]
    return np.array(found, dtype=float) * (1 - unparsed(gold, predictions))


def text_f1_metric(label: str, fields: Tuples) -> Metric:
    """Return the mean over texts of `text_f1`.

    Args:
        label: its name in tables.
        fields: which fields are compared.
    """
    return mean_metric(label, True, lambda gold, predictions: text_f1(fields, gold, predictions))


def unparsed(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Floats:
    """Return 1 for each answer of a language model that cannot be read, else 0 (our design)."""
    return np.array([find_unparsed(text) is not None for text in predictions], dtype=float)


UNPARSED = mean_metric("unparsed answers", False, unparsed)


def agreement_metric(label: str, fields: Tuples, given: Tuples) -> Metric:
    """Return which share of the tuples whose given part is right are right as a whole; 0 where there are none.

    Args:
        label: its name in tables.
        fields: which fields are compared.
        given: which part of them must be right, such as the term.
    """

    def prepare(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        golds, found = tuple_sets(gold, given), [load_items(str(text)) for text in predictions]
        wholes = tuple_sets(gold, fields)
        columns = np.zeros((len(golds), 2))
        for row, (known, whole, items) in enumerate(zip(golds, wholes, found, strict=True)):
            right = {(given(item), fields(item)) for item in items if given(item) in known}
            columns[row] = sum(one in whole for _, one in right), len(right)

        def statistic(counts: Floats) -> Floats:
            totals = counts @ columns
            return totals[:, 0] / np.maximum(totals[:, 1], 1)

        return statistic

    return Metric(label, True, prepare)
