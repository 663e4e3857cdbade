"""Metrics of quads."""

from typing import Any

from ..item_confidence import item_metrics
from ..triplets.metrics import METRICS as OF_TRIPLETS
from ..tuple_metrics import UNPARSED, micro_f1_metric, text_f1_metric


def _quad(item: dict[str, Any]) -> tuple[Any, ...]:
    return item["category"], item["term"], item["opinion"], item["polarity"]


METRICS = {
    "quad_f1": micro_f1_metric("quad F1", _quad),
    "triplet_f1": OF_TRIPLETS["triplet_f1"],
    "pair_f1": OF_TRIPLETS["pair_f1"],
    "quad_text_f1": text_f1_metric("mean F1 per text", _quad),
    "unparsed": UNPARSED,
    **item_metrics(_quad),
}
