"""Texts in, answers out, whatever computes."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from equipoise.data import BadRow, Rows
from equipoise.errors import ModelError, UsageError, did_you_mean, list_some, shorten
from equipoise.kinds import Task

from .inputs import Inputs, Text, echo, gather_inputs, gather_pairs, read_inputs
from .readers import check_clean, find_readers, read_texts_from
from .showing import show_tasks
from .templates import check_prompts
from .trust import Trust

WINDOW = 4096
"""Rows that are answered together, where there are many."""
PROMPTED_WINDOW = 256
"""The same where a language model is prompted or writes, which takes long: so much is lost by an interruption."""


class BasePredictor(ABC):
    """A trained model that answers for texts: all but the computing, which does not need to be torch's.

    Attributes:
        texts_read: different texts that `infer` has read, of each call.
        texts_cut: those of them that were longer than the model reads, and were cut.
        rounding: where it computes in less than float32, by task how far the first answers are from those in float32:
            the largest difference of a probability or a score, not calibrated; None until there are answers.
    """

    texts_read: int = 0
    texts_cut: int = 0
    rounding: dict[str, float] | None = None

    @property
    def max_length(self) -> int | None:
        """Most tokens of a text that are read, if that is known."""
        return None

    @property
    def precision(self) -> str:
        """In what it computes, by its name: "fp32", or "bf16", "fp16", "int8"."""
        return "fp32"

    @property
    def concurrent(self) -> int:
        """Threads that may call `predict` at once, if each calls `use_cores` before; to explain, one must be alone."""
        return 1

    @property
    def cores(self) -> int:
        """Cores on which a call of `predict` in this thread computes, where that can be set."""
        return 1

    def use_cores(self, count: int) -> None:
        """Let later calls of `predict` in this thread compute on so many cores, where that can be set."""
        return  # by default it cannot

    @property
    @abstractmethod
    def tasks(self) -> dict[str, Task]:
        """The tasks the model answers for."""

    def __repr__(self) -> str:
        tasks = ", ".join(f"{name}: {task.kind}" for name, task in self.tasks.items())
        return f"{type(self).__name__}({tasks})"

    def _repr_html_(self) -> str:
        """Show the tasks in a notebook."""
        return show_tasks(self.tasks)

    @abstractmethod
    def infer(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        tasks: Collection[str],
        batch_size: int,
        *,
        prompts: int = 1,
        label: str | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Predict for texts that are read and checked.

        Args:
            texts: the texts, one at least.
            pairs: the second text of each, or None.
            tasks: names of the tasks to predict for, on all texts.
            batch_size: texts in a batch.
            prompts: over how many templates prompted answers are averaged.
            label: what the progress bar says; None shows no bar.

        Returns:
            For each task the predictions, not calibrated: probabilities (texts × classes), scores (texts,) in the
            user's units, or objects (texts,): texts, or JSON of what is found in them.
        """

    def check_explained(self, explain: bool | int, tasks: Mapping[str, Task]) -> int:
        """Return the number of steps of explanations, 0 for none.

        Args:
            explain: whether to explain, or the number of steps.
            tasks: the tasks to answer for.

        Raises:
            UsageError: it is no such number, or the model or a task cannot be explained.
            ModelError: captum is not installed.
        """
        if explain:
            raise UsageError(
                "explain: the words that decided are found by gradients, which this form of the model does not have; "
                "load the model's folder, which PyTorch reads."
            )
        return 0

    def explain(
        self,
        items: Sequence[tuple[str, str | None]],
        predictions: Mapping[str, npt.NDArray[Any]],
        batch_size: int,
        steps: int,
        *,
        show_progress: bool = False,
    ) -> dict[str, list[dict[str, Any]]]:
        """Return for each task and text what `Task.add_explained` takes.

        Args:
            items: texts and pairs.
            predictions: for each task the predictions for them.
            batch_size: sequences in a batch.
            steps: what `check_explained` returned.
            show_progress: show how far it is on standard error.
        """
        raise NotImplementedError("This form of a model cannot be explained.")

    def predict(
        self,
        texts: Text | Sequence[Text] | Rows | Inputs,
        pair: str | Sequence[str] | None = None,
        *,
        tasks: str | Sequence[str] | None = None,
        skip: Collection[str] = (),
        batch_size: int = 64,
        prompts: int = 1,
        explain: bool | int = False,
        level: float | None = None,
        sets: str = "lac",
        abstain: float | None = None,
        text: str | None = None,
        clean: str | None = None,
        show_progress: bool = False,
        errors: Literal["raise", "answer"] = "raise",
    ) -> list[dict[str, Any]]:
        """Answer for each text, in order.

        Args:
            texts: one text or several, of a million characters each at most; or rows (dicts, a DataFrame of
                pandas or Polars, an Arrow table, or what `equipoise.data.read_rows` returns) that hold the columns the
                tasks read.
            pair: second text (a target, an aspect) for the tasks that read one: one for all texts, or one each.
            tasks: names of the tasks to answer for; by default all but the auxiliary ones.
            skip: where `tasks` names none, those that are left out, such as tasks that read a second text.
            batch_size: texts in a batch; it does not change the answers beyond 1e-5.
            prompts: over how many templates the answers of tasks in the format `prompt` are averaged (see
                `infer_texts`); it takes as many times as long.
            explain: also say which words decided (see docs/explain.md); a number is that of the steps of the integral,
                by default 32. The answers themselves stay the same, to the bit.
            level: also answer with sets of classes, or intervals of scores, that hold the truth with this probability,
                such as 0.9 (see docs/trust.md).
            sets: how sets of classes are made, "lac" (the smallest ones) or "aps" (never empty).
            abstain: where an answer is right with a lower probability, say so: `"label": null, "unsure": true`.
            text: the column of the texts, for all tasks, where rows call it otherwise than the training data; `a.b` is
                the key b in column a.
            clean: "html" takes the tags and entities of HTML out of what is read, as the key of a source does.
            show_progress: show how far it is on standard error.
            errors: what becomes of rows that cannot be read: "raise" answers nothing; "answer" puts `"error"`, which
                says what is wrong, in the place of the tasks.

        Returns:
            One dict a text: `{"text": …, "polarity": {"label": …, "probabilities": {…}}, "intensity": {"score": …},
            "emotions": {"labels": […], "probabilities": {…}}}`; `"pair"` is there too where one was given for a text.
            Rows keep their columns; those that have a task's name (or are called `given` or `error`) move into
            `"given"`.
            Explained answers also have `"words": [{"word": …, "start": …, "end": …, "weight": …}, …]` (and
            `"pair_words"`), and `"explained": {"of": …, "unit": …, "output": …, "baseline": …, "gap": …, "steps": …}`:
            the weights add up to output − baseline − gap. A multilabel task has both by predicted label, a list of
            terms or opinions by item.

        Raises:
            UsageError: a task does not exist, has fewer templates, cannot be explained, has no sets or confidences, or
                reads a pair and none was given.
            DataError: texts are empty, or no text; all such rows are counted, the first named, and nothing is answered.
            ModelError: the model's weights are damaged: a prediction is NaN; captum is missing to explain; or the
                model is not calibrated, or on too few rows for `level`.
        """
        if errors not in ("raise", "answer"):
            raise UsageError(f"errors: found {shorten(repr(errors), 60)}, expected 'raise' or 'answer'.")
        _check_whole_number("batch_size", batch_size)
        _check_whole_number("prompts", prompts)
        wanted = self.choose(tasks)
        if tasks is None:
            left_out = self.choose(skip)
            wanted = {name: task for name, task in wanted.items() if name not in left_out}
        check_prompts(prompts, wanted)
        wanted = read_texts_from(wanted, text)
        check_clean(clean, explain)
        steps = self.check_explained(explain, wanted)
        trust = Trust(level, sets, abstain)
        trust.check(wanted, named=tasks is not None)
        inputs = gather_inputs(texts)
        pairs = gather_pairs(pair, len(inputs.rows))
        check_pair(pair, wanted)
        readers = find_readers(wanted, clean)
        read = read_inputs(inputs, pairs, list(readers.values()))
        if read.errors and errors == "raise":
            raise read.problems.as_error()
        answers = [echo(row, second, wanted) for row, second in zip(inputs.rows, pairs, strict=True)]
        for index, problem in read.errors.items():
            answers[index]["error"] = problem
        answered = [answer for index, answer in enumerate(answers) if index not in read.errors]
        for columns, reader in readers.items():
            served = {name: task for name, task in wanted.items() if (task.text, task.pair) == columns}
            predictions = self._infer_distinct(read.items[reader], served, batch_size, prompts, show_progress)
            for name, task in served.items():
                said = trust.add(task, predictions[name], [task.answer(one) for one in predictions[name]])
                for answer, of_task in zip(answered, said, strict=True):
                    answer[name] = of_task
            if steps:
                items = read.items[reader]
                words = self.explain(items, predictions, batch_size, steps, show_progress=show_progress)
                for name, explained in words.items():
                    for answer, of_text in zip(answered, explained, strict=True):
                        answer[name] = served[name].add_explained(answer[name], of_text)
        return answers

    def stream(
        self, rows: Iterable[Text], pair: str | None = None, *, window: int | None = None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Answer for any number of texts or rows, one after the other, in order; memory stays constant.

        Args:
            rows: texts or rows, such as a generator yields them.
            pair: second text for the tasks that read one, for all rows.
            window: rows that are read and answered together; by default 4,096, or 256 where a model is prompted.
            options: `tasks`, `batch_size`, `prompts`, `explain`, `level`, `sets`, `abstain` and `errors` of `predict`.

        Yields:
            What `predict` returns, one at a time.

        Raises:
            EquipoiseError: as `predict` does, for one window at a time.
        """
        if window is None:
            window = choose_window(self.choose(options.get("tasks")))
        _check_whole_number("window", window)
        if isinstance(rows, str | bytes | Mapping | BadRow):
            raise UsageError(f"rows: found {shorten(repr(rows), 60)}, expected several; use `predict` for one text.")
        iterator, start = iter(rows), 0
        while some := list(islice(iterator, window)):
            yield from self.predict(Inputs(some, partial(_name_row, start)), pair, **options)
            start += len(some)

    def choose(self, names: Any) -> dict[str, Task]:
        """Return the tasks to answer for by name.

        Args:
            names: a name or several; None means all tasks but the auxiliary ones.

        Raises:
            UsageError: a task is not in the model.
        """
        if isinstance(names, str):
            names = [names]
        if names is None:
            return {name: task for name, task in self.tasks.items() if not task.auxiliary}
        names = list(names) if isinstance(names, Iterable) else [names]
        if not all(isinstance(name, str) for name in names):
            raise UsageError(f"tasks: found {names!r}, expected the name of a task, or several.")
        for name in names:
            if name not in self.tasks:
                raise UsageError(f"task '{name}' is not in the model. {did_you_mean(name, self.tasks)}")
        return {name: self.tasks[name] for name in names}

    def _infer_distinct(
        self,
        inputs: list[tuple[str, str | None]],
        tasks: Collection[str],
        batch_size: int,
        prompts: int,
        show: bool,
    ) -> dict[str, npt.NDArray[Any]]:
        if not inputs:
            return {name: np.empty(0) for name in tasks}
        # A text that comes twice is encoded once.
        distinct = list(dict.fromkeys(inputs))
        position = {item: number for number, item in enumerate(distinct)}
        label = "Predicting" if show else None
        texts, pairs = [text for text, _ in distinct], [second for _, second in distinct]
        found = self.infer(texts, pairs, tasks, batch_size, prompts=prompts, label=label)
        for name, values in found.items():
            if values.dtype != object and not np.isfinite(values).all():
                raise ModelError(
                    f"task '{name}': found a prediction that is no number; the model's weights are damaged."
                )
        back = np.array([position[item] for item in inputs])
        return {name: self.tasks[name].calibrate(values)[back] for name, values in found.items()}


def check_pair(pair: Any, tasks: Mapping[str, Task]) -> None:
    """Refuse a second text that no task reads.

    Raises:
        UsageError: there is one, and none of the tasks reads it; or it is a text that cannot be read.
    """
    gather_pairs(pair if isinstance(pair, str) else None, 0)
    if pair is not None and not any(task.pair for task in tasks.values()):
        raise UsageError(
            f"pair: found one, and none of the tasks reads a second text ({list_some(tasks)}); leave it out."
        )


def choose_window(tasks: Mapping[str, Task]) -> int:
    """Return how many rows are answered together, where there are many."""
    slow = any(task.is_prompted or task.writes_text for task in tasks.values())
    return PROMPTED_WINDOW if slow else WINDOW


def _name_row(start: int, index: int) -> str:
    return f"row {start + index + 1}"


def _check_whole_number(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UsageError(f"{key}: found {value!r}, expected 1 or more.")
