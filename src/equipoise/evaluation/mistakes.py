"""Where a model is wrong: which classes it takes for which, in which parts, and on which rows most."""

from typing import Any, TypedDict

import numpy as np

from equipoise.data import Table
from equipoise.kinds import Task, make_analysis

from .splits import Predictions

_SHOWN = 20
_LONGEST = 500
"""Characters of a text that are kept."""


class Mistake(TypedDict):
    """A row that is answered wrongly.

    `label` and `answer` are written for people; `suspected` says that the label rather than the answer may be wrong.
    """

    text: str
    pair: str | None
    label: str
    answer: str
    suspected: bool


class Part(TypedDict):
    """A part of the rows, such as a class or a third of the scores: its name, rows or items, and its score."""

    name: str
    items: int
    score: float | None


class TaskMistakes(TypedDict):
    """What a task gets wrong.

    `wrong_means` says what is wrong. `confusion` counts rows by class and answered class, None for kinds without one
    class a row; `suspected` is how many labels the model contradicts so clearly that they may be wrong.
    """

    n: int
    wrong: int
    wrong_means: str
    suspected: int
    classes: list[str]
    confusion: list[list[int]] | None
    part_metric: str
    parts: list[Part]
    examples: list[Mistake]


def find_mistakes(predictions: Predictions, table: Table, split: str) -> dict[str, TaskMistakes]:
    """Say for each task what it gets wrong on a split; at most 20 rows are shown, the most wrong ones (our design).

    Args:
        predictions: as `predict_split` returns them, not calibrated.
        table: the table.
        split: the split's name.
    """
    return {
        name: _of_task(table.tasks[name], table.tasks[name].calibrate(raw), table, split)
        for name, raw in predictions.items()
    }


def _of_task(task: Task, predictions: Any, table: Table, split: str) -> TaskMistakes:
    analysis, gold = make_analysis(task), table.labels(task.name, split)
    wrong, noise = analysis.is_wrong(predictions, gold), analysis.is_noise(predictions, gold)
    confusion = analysis.confusion(predictions, gold)
    found = TaskMistakes(
        n=len(gold),
        wrong=int(wrong.sum()),
        wrong_means=analysis.wrong_means,
        suspected=int((wrong & noise).sum()),
        classes=list(task.class_names),
        confusion=None if confusion is None else confusion.tolist(),
        part_metric=next(iter(analysis.part_metrics), ""),
        parts=[],
        examples=[],
    )
    scores = analysis.score_parts(gold, task.decide(predictions)[None])
    for about, score in zip(analysis.describe_parts(gold), scores, strict=False):
        found["parts"].append(Part(name=about["name"], items=about["items"], score=score[found["part_metric"]]))
    order = np.flatnonzero(wrong)[np.argsort(-analysis.distance(predictions, gold)[wrong], kind="stable")]
    rows = table.splits[split][table.rows(task.name, split)[order[:_SHOWN]]]
    for place, row in enumerate(order[:_SHOWN]):
        pair = rows["pair"][place]
        found["examples"].append(
            Mistake(
                text=rows["text"][place][:_LONGEST],
                pair=pair and pair[:_LONGEST],
                label=task.show_label(gold[row])[:_LONGEST],
                answer=task.show_answer(predictions[row])[:_LONGEST],
                suspected=bool(noise[row]),
            )
        )
    return found
