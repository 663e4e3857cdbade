"""How sure a head is of each item that it finds in a text, and whether that holds.

Predictions are JSON lists (see `spans.write_items`) whose items have a "score"; one without counts as certain.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .calibration import Calibration, scale_scores
from .metrics import Floats, Metric, Statistic
from .probability_metrics import bin_errors
from .spans import find_unparsed, load_items, write_items
from .tuple_metrics import Tuples, tuple_sets

_DIGITS = 4


def list_scores(predictions: npt.NDArray[Any]) -> Floats:
    """Return the scores of all items, text after text."""
    return np.array([item.get("score", 1.0) for text in predictions for item in load_items(str(text))], dtype=float)


def list_right(gold: npt.NDArray[Any], predictions: npt.NDArray[Any], fields: Tuples) -> npt.NDArray[np.bool_]:
    """Return for all items, text after text, whether they are in the text's label.

    Args:
        gold: the labels.
        predictions: the lists that were found.
        fields: which fields are compared.
    """
    known = zip(tuple_sets(gold, fields), predictions, strict=True)
    return np.array([fields(item) in label for label, text in known for item in load_items(str(text))], dtype=bool)


def rescale(predictions: npt.NDArray[Any], calibration: Calibration) -> npt.NDArray[Any]:
    """Return the lists with calibrated scores; the order of the items stays."""

    def of_text(text: str) -> str:
        if find_unparsed(text):
            return text
        items = load_items(text)
        scores = scale_scores(np.array([item.get("score", 1.0) for item in items]), calibration)
        # What has no score is not a probability of the head.
        return write_items(
            [
                {**item, "score": round(float(score), _DIGITS)} if "score" in item else item
                for item, score in zip(items, scores, strict=True)
            ]
        )

    return np.array([of_text(str(text)) for text in predictions], dtype=object)


def mark_unsure(items: Sequence[dict[str, Any]], least: float) -> list[dict[str, Any]]:
    """Return the items of an answer, those that are not sure enough marked so."""
    return [{**item, "unsure": True} if item.get("score", 1.0) < least else item for item in items]


def item_metrics(fields: Tuples) -> dict[str, Metric]:
    """Return the calibration error and the Brier score (from 0 to 1) of the items found; NaN where there are none.

    Args:
        fields: which fields are compared.
    """

    def prepare_error(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        sizes, scores, right = _flat(gold, predictions)
        bins, rows = bin_errors(scores, right), np.repeat(np.arange(len(sizes)), sizes.astype(int))
        columns = np.zeros((len(sizes), bins.shape[1]))
        np.add.at(columns, rows, bins)
        return lambda counts: _divide(np.abs(counts @ columns).sum(axis=1), counts @ sizes)

    def prepare_brier(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> Statistic:
        sizes, scores, right = _flat(gold, predictions)
        rows = np.repeat(np.arange(len(sizes)), sizes.astype(int))
        sums = np.bincount(rows, weights=(scores - right) ** 2, minlength=len(sizes))
        return lambda counts: _divide(counts @ sums, counts @ sizes)

    def _flat(gold: npt.NDArray[Any], predictions: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats]:
        sizes = np.array([len(load_items(str(text))) for text in predictions], dtype=float)
        return sizes, list_scores(predictions), list_right(gold, predictions, fields).astype(float)

    return {"ece": Metric("ECE", False, prepare_error), "brier": Metric("Brier", False, prepare_brier)}


def _divide(sums: Floats, items: Floats) -> Floats:
    """Return means over items; a resample without any counts as without error, all texts without any as nothing."""
    return np.asarray(sums / np.maximum(items, 1) if items.any() else np.full(len(items), np.nan))
