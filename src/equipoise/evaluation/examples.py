"""Generated texts to look at."""

from typing import TypedDict

import numpy as np

from equipoise.data import Table
from equipoise.kinds import get_metric

from .splits import Predictions

_BEST, _MEDIAN, _WORST = 3, 2, 3


class Example(TypedDict):
    """One output with what it was written for; `part` is "best", "median" or "worst", `pair` None for one text."""

    part: str
    rouge_l: float
    text: str
    pair: str | None
    target: str
    output: str


def choose_examples(predictions: Predictions, table: Table, split: str, *, seed: int = 0) -> dict[str, list[Example]]:
    """Choose outputs of each generation task: three of the best by ROUGE-L, two around the median, three of the worst.

    Rows of equal ROUGE-L stand in an order drawn by the seed; with fewer than eight rows all are chosen (our design).

    Args:
        predictions: as `predict_split` returns them.
        table: the table the texts and targets come from.
        split: the split's name.
        seed: seed of the order.

    Returns:
        The examples by task, best first; tasks of other kinds are left out.
    """
    chosen: dict[str, list[Example]] = {}
    for name, outputs in predictions.items():
        if not table.tasks[name].shows_texts:
            continue
        rows = table.splits[split][table.rows(name, split)]
        targets = table.labels(name, split)
        metric = get_metric("rouge_l")
        assert metric.items is not None
        scores = metric.items(targets, outputs)
        drawn = np.random.default_rng(seed).permutation(len(scores))
        order = drawn[np.argsort(-scores[drawn], kind="stable")]
        chosen[name] = [
            Example(
                part=part,
                rouge_l=float(scores[row]),
                text=rows["text"][row],
                pair=rows["pair"][row],
                target=str(targets[row]),
                output=str(outputs[row]),
            )
            for part, row in _parts(order.tolist())
        ]
    return chosen


def _parts(order: list[int]) -> list[tuple[str, int]]:
    """Return the rows to show, each with the part it stands for."""
    n = len(order)
    best, worst = order[:_BEST], order[max(_BEST, n - _WORST) :]
    between = order[_BEST : max(_BEST, n - _WORST)]
    first = max(0, (len(between) - _MEDIAN) // 2)
    parts = {"best": best, "median": between[first : first + _MEDIAN], "worst": worst}
    return [(part, row) for part, rows in parts.items() for row in rows]
