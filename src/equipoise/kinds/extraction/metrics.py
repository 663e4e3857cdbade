"""Metrics of extraction."""

from typing import Any

from ..item_confidence import item_metrics
from ..tuple_metrics import UNPARSED, agreement_metric, micro_f1_metric, text_f1_metric


def _term(item: dict[str, Any]) -> tuple[Any, ...]:
    return (item["term"],)


def _class(item: dict[str, Any]) -> str:
    return str(item.get("polarity", item.get("label", "")))


def _term_and_class(item: dict[str, Any]) -> tuple[Any, ...]:
    return item["term"], _class(item)


def _span_and_class(item: dict[str, Any]) -> tuple[Any, ...]:
    return item["start"], item["end"], _class(item)


METRICS = {
    "extraction_f1": micro_f1_metric("extraction F1", _term_and_class),
    "term_f1": micro_f1_metric("term F1", _term),
    "polarity_accuracy": agreement_metric("polarity accuracy", _term_and_class, _term),
    "span_f1": micro_f1_metric("span F1", _span_and_class),
    "text_f1": text_f1_metric("mean F1 per text", _term_and_class),
    "unparsed": UNPARSED,
    **item_metrics(_term_and_class),
}
