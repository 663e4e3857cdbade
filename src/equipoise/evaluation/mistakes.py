"""Where a model is wrong: which classes it takes for which, in which parts, and on which rows most; and why."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from equipoise.data import Table
from equipoise.kinds import Task, make_analysis
from equipoise.modeling import Explanation, MultiTaskModel, WordWeight, explain_texts, why_unexplained

from .splits import Predictions

_SHOWN = 20
_EXPLAINED = 3
"""Of one answer so many numbers are explained, such as labels that apply, the wrong ones first."""
_ROWS, _ROWS_IN_ALL = 5, 30
"""Rows of a task that are explained, and of all tasks together unless they have one each: a row takes a large model
seconds."""
LONGEST = 500
"""Characters of a text that are kept."""


class DecidingWords(TypedDict):
    """Which words decided one number of an answer, such as the predicted class (see `Explanation`).

    `words` and `pair_words` are those of the text and of its pair that are kept, as `equipoise predict --explain`
    writes them; `rest` and `pair_rest` are what the words behind add.
    """

    of: str
    unit: str
    words: list[dict[str, Any]]
    rest: float
    pair_words: list[dict[str, Any]]
    pair_rest: float


class Mistake(TypedDict):
    """A row that is answered wrongly.

    `label` and `answer` are written for people, their classes are `label_classes` and `answer_classes`; `suspected`
    says that the label rather than the answer may be wrong. `explained` is empty where nothing is.
    """

    text: str
    pair: str | None
    label: str
    answer: str
    suspected: bool
    label_classes: list[str]
    answer_classes: list[str]
    explained: list[DecidingWords]


class Part(TypedDict):
    """A part of the rows, such as a class or a third of the scores: its name, rows or items, and its score."""

    name: str
    items: int
    score: float | None


class TaskMistakes(TypedDict):
    """What a task gets wrong.

    `wrong_means` says what is wrong. `confusion` counts rows by class and answered class, None for kinds without one
    class a row; `suspected` is how many labels the model contradicts so clearly that they may be wrong; `unexplained`
    says why the words that decided are not there, "" where they are.
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
    unexplained: str


class _Explainer(NamedTuple):
    """What finds the words that decided: the model, sequences in a batch, and the rows of a task it is asked for."""

    model: MultiTaskModel
    batch_size: int
    rows: int


def find_mistakes(
    predictions: Predictions,
    table: Table,
    split: str,
    model: MultiTaskModel,
    *,
    explained: int | None = 0,
    batch_size: int = 64,
) -> dict[str, TaskMistakes]:
    """Say for each task what it gets wrong on a split; at most 20 rows are shown, the most wrong ones (our design).

    Args:
        predictions: as `predict_split` returns them, not calibrated.
        table: the table.
        split: the split's name.
        model: the model.
        explained: of so many rows of each task the words that decided are found, the most wrong ones; None stands
            for 5, and fewer with more than six tasks.
        batch_size: sequences in a batch that gradients pass through.
    """
    explainer = _Explainer(model, batch_size, _rows_for(len(predictions)) if explained is None else explained)
    return {
        name: _of_task(table.tasks[name], table.tasks[name].calibrate(raw), table, split, explainer)
        for name, raw in predictions.items()
    }


def _rows_for(tasks: int) -> int:
    return max(1, min(_ROWS, _ROWS_IN_ALL // max(1, tasks)))


def _of_task(task: Task, predictions: Any, table: Table, split: str, explainer: _Explainer) -> TaskMistakes:
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
        unexplained=_why_not(task, explainer),
    )
    scores = analysis.score_parts(gold, task.decide(predictions)[None])
    for about, score in zip(analysis.describe_parts(gold), scores, strict=False):
        found["parts"].append(Part(name=about["name"], items=about["items"], score=score[found["part_metric"]]))
    order = np.flatnonzero(wrong)[np.argsort(-analysis.distance(predictions, gold)[wrong], kind="stable")][:_SHOWN]
    rows = table.splits[split][table.rows(task.name, split)[order]]
    texts = list(zip(rows["text"], rows["pair"], strict=True))
    shown = [
        _show(task, text, gold[row], predictions[row], bool(noise[row])) for text, row in zip(texts, order, strict=True)
    ]
    if not found["unexplained"]:
        first = shown[: explainer.rows]
        wanted = [_choose(task, predictions[row], one) for row, one in zip(order, first, strict=False)]
        for one, explained in zip(first, _explain(explainer, task, texts[: len(first)], wanted), strict=True):
            one["explained"] = explained
    found["examples"] = shown
    return found


def _show(task: Task, text: tuple[str, str | None], label: Any, prediction: Any, suspected: bool) -> Mistake:
    words, pair = text
    return Mistake(
        text=words[:LONGEST],
        pair=pair and pair[:LONGEST],
        label=task.show_label(label)[:LONGEST],
        answer=task.show_answer(prediction)[:LONGEST],
        suspected=suspected,
        label_classes=list(task.classes_in(label)),
        answer_classes=list(task.classes_answered(prediction)),
        explained=[],
    )


def _why_not(task: Task, explainer: _Explainer) -> str:
    if not explainer.rows:
        return "the run file turns it off (evaluation.explain: 0)"
    return why_unexplained(task, explainer.model)


def _choose(task: Task, prediction: Any, shown: Mistake) -> dict[str, int]:
    """Return what of an answer is explained: a few numbers, those first that are not in the label."""
    parts = task.explained(prediction)
    chosen = sorted(parts, key=lambda name: name in shown["label_classes"])[:_EXPLAINED]
    return {name: parts[name] for name in chosen}


def _explain(
    explainer: _Explainer, task: Task, texts: Sequence[tuple[str, str | None]], wanted: Sequence[Mapping[str, int]]
) -> list[list[DecidingWords]]:
    found = explain_texts(explainer.model, texts, {task.name: wanted}, explainer.batch_size, show=True)[task.name]
    return [[_keep(one) for one in of_text] for of_text in found]


def _keep(explanation: Explanation) -> DecidingWords:
    """Return the words that lie in what is kept of the texts."""
    words, rest = _split(explanation.words)
    pair_words, pair_rest = _split(explanation.pair_words or [])
    return DecidingWords(
        of=explanation.of, unit=explanation.unit, words=words, rest=rest, pair_words=pair_words, pair_rest=pair_rest
    )


def _split(words: Sequence[WordWeight]) -> tuple[list[dict[str, Any]], float]:
    kept = [{**word.to_dict(), "weight": round(word.weight, 4)} for word in words if word.end <= LONGEST]
    return kept, round(sum(word.weight for word in words if word.end > LONGEST), 4)
