"""Which words decided: explanations of answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from equipoise.errors import ModelError, UsageError
from equipoise.kinds import Task
from equipoise.progress import progress

from .attribution import MOST_STEPS, Attributed, Attributor, check_captum
from .evaluating import longest_first
from .explained_numbers import Place
from .model import MultiTaskModel
from .words import WordWeight, merge_to_words

STEPS = 32
"""Steps of the integral, unless others are asked for."""
_ALSO_PROMPTED = "this model also answers prompts; expected a model whose tasks are all in the format head"


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
    place: Any


class _Window(NamedTuple):
    """What is kept of a window beside its tokens; see `Attributed`."""

    output: float
    baseline: float
    gap: float
    steps: int


class _Work(NamedTuple):
    """A window to attribute: its row, the number of what is wanted, and its place in the window."""

    row: int
    number: int
    place: Place


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
        if not _has_explanation(task):
            raise UsageError(
                f"explain: the words that decided task '{name}' cannot be found ({_name_way(task)}); only answers of "
                "heads can be explained, not texts that are written. Choose such tasks (--task)."
            )
    if model.prompts is not None:
        raise UsageError(f"explain: the words that decided cannot be found, since {_ALSO_PROMPTED}.")
    check_captum()
    return STEPS if explain is True else int(explain)


def why_unexplained(task: Task, model: MultiTaskModel) -> str:
    """Say why the words that decided a task's answers cannot be found; "" where they can.

    Args:
        task: the task.
        model: the model that answers for it.
    """
    if not _has_explanation(task):
        return f"answers of this task cannot be explained ({_name_way(task)})"
    if model.prompts is not None:
        return _ALSO_PROMPTED
    try:
        check_captum()
    except ModelError as error:
        return str(error).removeprefix("explain: ").rstrip(".")
    return ""


def _has_explanation(task: Task) -> bool:
    return bool(task.explained_unit) and not task.is_prompted


def _name_way(task: Task) -> str:
    return f"{task.kind}, format: prompt" if task.is_prompted else f"kind {task.kind}"


def explain_answers(
    model: MultiTaskModel,
    items: Sequence[tuple[str, str | None]],
    predictions: Mapping[str, npt.NDArray[Any]],
    batch_size: int,
    steps: int,
    *,
    show: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """Return for each task and text, by the name of what is explained, what an answer says of it; see `explain_texts`.

    Args:
        model: the model; neither its weights nor their gradients change.
        items: texts and pairs.
        predictions: for each task the predictions for them.
        batch_size: sequences in a batch.
        steps: steps of the integral.
        show: show how far it is on standard error.

    Returns:
        What `Task.add_explained` takes.
    """
    # A text that comes twice is explained once.
    first: dict[tuple[str, str | None], int] = {}
    for number, item in enumerate(items):
        first.setdefault(item, number)
    wanted = {
        name: [model.tasks[name].explained(values[number]) for number in first.values()]
        for name, values in predictions.items()
    }
    explained = explain_texts(model, list(first), wanted, batch_size, steps, show=show)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, of_texts in explained.items():
        answers = dict(zip(first, of_texts, strict=True))
        found[name] = [{one.of: _write(one) for one in answers[item]} for item in items]
    return found


def explain_texts(
    model: MultiTaskModel,
    texts: Sequence[tuple[str, str | None]],
    wanted: Mapping[str, Sequence[Mapping[str, Any]]],
    batch_size: int,
    steps: int = STEPS,
    *,
    show: bool = False,
) -> dict[str, list[list[Explanation]]]:
    """Find the words that decided numbers of answers.

    Texts are encoded once for all tasks; the gradients of each number take passes of their own. Of a text in windows
    the mean over its windows is explained (of an item over those that hold it whole), where a word of several windows
    counts with all of them.

    Args:
        model: the model; neither its weights nor their gradients change.
        texts: texts and pairs.
        wanted: for each task and text what is explained, as `Task.explained` returns it.
        batch_size: sequences in a batch.
        steps: steps of the integral.
        show: show how far it is on standard error.

    Returns:
        For each task and text the explanations, in the order of what is wanted.
    """
    if not texts:
        return {name: [] for name in wanted}
    dataset = Dataset.from_dict({"text": [text for text, _ in texts], "pair": [pair for _, pair in texts]})
    rows, _ = model.encode_rows(dataset, {}, places=True)
    attributor = Attributor(model, batch_size)
    found = {}
    for name, of_texts in wanted.items():
        numbers = [_Wanted(text, of, place) for text, parts in enumerate(of_texts) for of, place in parts.items()]
        collected = _Collected(model.tasks[name], texts, numbers)
        _attribute_all(attributor, rows, collected, steps, f"Explaining {name}" if show else None)
        found[name] = collected.explain()
    return found


def _attribute_all(attributor: Attributor, rows: Any, collected: "_Collected", steps: int, label: str | None) -> None:
    """Attribute all that is wanted of a task, in every window, the longest first."""
    texts, lengths = (np.asarray(rows[column][:], dtype=np.int64) for column in ("index", "length"))
    by_text: dict[int, list[int]] = {}
    for number, one in enumerate(collected.wanted):
        by_text.setdefault(one.text, []).append(number)
    pairs = ((row, number) for row, text in enumerate(texts.tolist()) for number in by_text.get(text, ()))
    work = [
        _Work(row, number, place) for row, number in pairs if (place := collected.find(number, rows[row])) is not None
    ]
    tokens = lengths[np.array([one.row for one in work], dtype=np.int64)]
    with progress(label, len(work), "text") as bar:
        for chosen in longest_first(np.arange(len(work)), tokens, attributor.rows, bar):
            batch = [work[number] for number in chosen.tolist()]
            items = rows.select([one.row for one in batch]).to_list()
            found = attributor.attribute(collected.task.name, items, [one.place for one in batch], steps)
            for one, item, attributed in zip(batch, items, found, strict=True):
                collected.add(one.number, item, attributed)


class _Collected:
    """Collects what tokens weigh, window by window."""

    def __init__(self, task: Task, texts: Sequence[tuple[str, str | None]], wanted: Sequence[_Wanted]) -> None:
        self.task = task
        self.wanted = wanted
        self._texts = texts
        self._windows: list[list[_Window]] = [[] for _ in wanted]
        self._tokens: list[tuple[dict[tuple[int, int], float], ...]] = [({}, {}) for _ in wanted]

    def find(self, number: int, item: dict[str, Any]) -> Place | None:
        """Return the place of what is wanted in one window; None where the window does not hold it whole.

        Args:
            number: of what is wanted.
            item: the window.
        """
        one = self.wanted[number]
        if not self.task.has_token_head:
            return int(one.place)
        offsets = np.reshape(np.array(item["offsets"], dtype=np.int64), (-1, 2))
        cells = self.task.explained_cells(one.place, self._texts[one.text][0], offsets)
        return cells if cells.any() else None

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


def _write(explanation: Explanation) -> dict[str, Any]:
    """Return what an answer says of one explanation."""
    parts: dict[str, Any] = {"words": [word.to_dict() for word in explanation.words]}
    if explanation.pair_words is not None:
        parts["pair_words"] = [word.to_dict() for word in explanation.pair_words]
    return {**parts, "explained": explanation.to_dict()}
