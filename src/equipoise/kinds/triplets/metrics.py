"""Metrics of triplets."""

from typing import Any

from ..item_confidence import item_metrics
from ..tuple_metrics import UNPARSED, micro_f1_metric, text_f1_metric


def _triplet(item: dict[str, Any]) -> tuple[Any, ...]:
    return item["term"], item["opinion"], item["polarity"]


def _pair(item: dict[str, Any]) -> tuple[Any, ...]:
    return item["term"], item["opinion"]


METRICS = {
    "triplet_f1": micro_f1_metric("triplet F1", _triplet),
    "pair_f1": micro_f1_metric("pair F1", _pair),
    "triplet_text_f1": text_f1_metric("mean F1 per text", _triplet),
    "unparsed": UNPARSED,
    **item_metrics(_triplet),
}
