"""Which words decided: explanations of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from equipoise.errors import UsageError
from equipoise.kinds import Task
from equipoise.progress import progress

from .attribution import MOST_STEPS, Attributed, Attributor, check_captum
from .evaluating import longest_first
from .model import MultiTaskModel
from .words import WordWeight, merge_to_words

STEPS = 32
"""Steps of the integral, unless others are asked for."""


@dataclass(frozen=True)
class Explanation:
    """Which words of a text, and of its pair, decided one number of an answer.

    Args:
        of: what is explained, such as the predicted class.
        unit: the unit of all numbers here, such as "log-odds".
        words: the words of the text, in order.
        pair_words: the words of the pair, None where there is none.
        output: the number.
        baseline: the number where nothing is known of the words; the weights add up to output − baseline.
        gap: what is missing of that sum: an error of the computation.
        steps: most steps of the integral that a window of the text needed.
    """

    of: str
    unit: str
    words: list[WordWeight]
    pair_words: list[WordWeight] | None
    output: float
    baseline: float
    gap: float
    steps: int

    def to_dict(self) -> dict[str, Any]:
        """Return all but the words as plain JSON data."""
        names = ("of", "unit", "output", "baseline", "gap", "steps")
        return {name: getattr(self, name) for name in names}


class _Wanted(NamedTuple):
    """What is explained of one text: the text's number, the name of the number, and its place."""

    text: int
    name: str
    place: int


class _Window(NamedTuple):
    """What is kept of a window beside its tokens; see `Attributed`."""

    output: float
    baseline: float
    gap: float
    steps: int


def check_explained(explain: Any, tasks: Mapping[str, Task], model: MultiTaskModel) -> int:
    """Return the number of steps of explanations, 0 for none.

    Args:
        explain: whether to explain, or the number of steps.
        tasks: the tasks to answer for.
        model: the model.

    Raises:
        UsageError: it is no such number, or a task cannot be explained.
        ModelError: captum is not installed.
    """
    if explain is False or explain is None:
        return 0
    if explain is not True and not (isinstance(explain, int | np.integer) and 1 <= explain <= MOST_STEPS):
        raise UsageError(f"explain: found {explain!r}, expected true, or steps of the integral, 1 to {MOST_STEPS}.")
    for name, task in tasks.items():
        if task.is_prompted or not task.explained_unit:
            way = f"{task.kind}, format: prompt" if task.is_prompted else f"kind {task.kind}"
            raise UsageError(
                f"explain: the words that decided task '{name}' cannot be found ({way}); only answers of heads with "
                "classes, labels or scores can be explained. Choose such tasks (--task)."
            )
    if model.prompts is not None:
        raise UsageError(
            "explain: the words that decided cannot be found, since this model also answers prompts; expected a model "
            "whose tasks are all in the format head."
        )
    check_captum()
    return STEPS if explain is True else int(explain)


def explain_answers(
    model: MultiTaskModel,
    items: Sequence[tuple[str, str | None]],
    predictions: Mapping[str, npt.NDArray[Any]],
    batch_size: int,
    steps: int,
    *,
    show: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """Return for each task and text what an answer says of the words that decided it.

    Texts are encoded once for all tasks; the gradients of each number take passes of their own. Of a text in windows
    the mean over its windows is explained, where a word of several windows counts with all of them.

    Args:
        model: the model; neither its weights nor their gradients change.
        items: texts and pairs.
        predictions: for each task the predictions for them.
        batch_size: sequences in a batch.
        steps: steps of the integral.
        show: show how far it is on standard error.

    Returns:
        See `BasePredictor.predict`.
    """
    if not items:
        return {name: [] for name in predictions}
    first: dict[tuple[str, str | None], int] = {}
    for number, item in enumerate(items):
        first.setdefault(item, number)
    dataset = Dataset.from_dict({"text": [text for text, _ in first], "pair": [pair for _, pair in first]})
    rows, _ = model.encode_rows(dataset, {}, places=True)
    attributor = Attributor(model, batch_size)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, values in predictions.items():
        task = model.tasks[name]
        explained = [task.explained(values[number]) for number in first.values()]
        wanted = [_Wanted(text, of, place) for text, parts in enumerate(explained) for of, place in parts.items()]
        collected = _Collected(task, list(first), wanted)
        _attribute_all(attributor, rows, collected, steps, f"Explaining {name}" if show else None)
        answers = dict(zip(first, collected.explain(), strict=True))
        found[name] = [_write(task, answers[item]) for item in items]
    return found


def _attribute_all(attributor: Attributor, rows: Any, collected: "_Collected", steps: int, label: str | None) -> None:
    """Attribute all that is wanted of a task, in every window, the longest first."""
    texts, lengths = (np.asarray(rows[column][:], dtype=np.int64) for column in ("index", "length"))
    by_text: dict[int, list[int]] = {}
    for number, one in enumerate(collected.wanted):
        by_text.setdefault(one.text, []).append(number)
    work = [(row, number) for row, text in enumerate(texts.tolist()) for number in by_text.get(text, ())]
    tokens = lengths[np.array([row for row, _ in work], dtype=np.int64)]
    with progress(label, len(work), "text") as bar:
        for chosen in longest_first(np.arange(len(work)), tokens, attributor.rows, bar):
            batch = [work[number] for number in chosen.tolist()]
            items = rows.select([row for row, _ in batch]).to_list()
            places = [collected.wanted[number].place for _, number in batch]
            found = attributor.attribute(collected.task.name, items, places, steps)
            for (_, number), item, attributed in zip(batch, items, found, strict=True):
                collected.add(number, item, attributed)


class _Collected:
    """Collects what tokens weigh, window by window."""

    def __init__(self, task: Task, texts: Sequence[tuple[str, str | None]], wanted: Sequence[_Wanted]) -> None:
        self.task = task
        self.wanted = wanted
        self._texts = texts
        self._windows: list[list[_Window]] = [[] for _ in wanted]
        self._tokens: list[tuple[dict[tuple[int, int], float], ...]] = [({}, {}) for _ in wanted]

    def add(self, number: int, item: dict[str, Any], found: Attributed) -> None:
        """Add what one window weighs.

        Args:
            number: of what is wanted.
            item: the window.
            found: what its tokens weigh.
        """
        for tokens, part in zip(self._tokens[number], ("", "pair_"), strict=True):
            start, offsets = item[f"{part or 'text_'}start"], item[f"{part}offsets"]
            for place, span in enumerate(zip(offsets[::2], offsets[1::2], strict=True)):
                tokens[span] = tokens.get(span, 0.0) + float(found.weights[start + place])
        self._windows[number].append(_Window(found.output, found.baseline, found.gap, found.steps))

    def explain(self) -> list[list[Explanation]]:
        """Return the explanations of each text."""
        explained: list[list[Explanation]] = [[] for _ in self._texts]
        for one, windows, spans in zip(self.wanted, self._windows, self._tokens, strict=True):
            words, pair_words = (
                merge_to_words(text or "", {span: weight / len(windows) for span, weight in tokens.items()})
                for text, tokens in zip(self._texts[one.text], spans, strict=True)
            )
            output, baseline, gap, _ = np.mean(windows, axis=0).tolist()
            explained[one.text].append(
                Explanation(
                    one.name,
                    self.task.explained_unit,
                    words,
                    None if self._texts[one.text][1] is None else pair_words,
                    output,
                    baseline,
                    gap,
                    max(window.steps for window in windows),
                )
            )
        return explained


def _write(task: Task, explanations: Sequence[Explanation]) -> dict[str, Any]:
    """Return what an answer says of its explanations."""
    if task.explains_each:
        parts: list[tuple[str, Any]] = [
            ("words", {one.of: [word.to_dict() for word in one.words] for one in explanations}),
            ("explained", {one.of: one.to_dict() for one in explanations}),
        ]
        if any(one.pair_words is not None for one in explanations):
            pairs = {one.of: [word.to_dict() for word in one.pair_words or ()] for one in explanations}
            parts.insert(1, ("pair_words", pairs))
        return dict(parts)
    (one,) = explanations
    answer: dict[str, Any] = {"words": [word.to_dict() for word in one.words]}
    if one.pair_words is not None:
        answer["pair_words"] = [word.to_dict() for word in one.pair_words]
    return {**answer, "explained": one.to_dict()}
