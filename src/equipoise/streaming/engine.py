"""Answering windows of rows, in this process or in another one."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from equipoise.data import BadRow
from equipoise.predicting import (
    BasePredictor,
    Inputs,
    Problems,
    Reader,
    Text,
    Trust,
    check_clean,
    check_pair,
    check_prompts,
    choose_window,
    find_readers,
    read_texts_from,
)

from .writers import Writer

_SURE = 1 - 1e-9
"""A probability that hardly any answer has."""


@dataclass(frozen=True)
class Window:
    """Rows that are answered together.

    Args:
        rows: the rows.
        places: names the place of each.
        alone: whether it is all of the input.
    """

    rows: Sequence[Text]
    places: Sequence[str]
    alone: bool = False


@dataclass(frozen=True)
class Answered:
    """The answers for a window.

    Args:
        content: as the writer has them.
        problems: the rows that have an error in the place of an answer.
        texts: different texts that were read.
        cut: those of them that are longer than the model reads, and were cut.
        rounding: see `BasePredictor`.
    """

    content: bytes
    problems: Problems
    texts: int
    cut: int
    rounding: Mapping[str, float] | None = None


@dataclass(frozen=True)
class ModelView:
    """What the reading of rows needs to know of a model.

    Args:
        tasks: the names of the tasks it answers for.
        readers: which columns they read.
        window: how many rows are answered together.
        max_length: most tokens of a text that are read.
        threads: with how many threads it computes.
        sample: an answer, where one was asked for.
    """

    tasks: tuple[str, ...]
    readers: tuple[Reader, ...]
    window: int
    max_length: int | None
    threads: int
    sample: Mapping[str, Any] | None


class Engine(ABC):
    """Answers windows, one after the other or several at a time."""

    depth: int = 0
    """How many windows it is given before the answers for the first are taken."""

    @abstractmethod
    def describe(self, sample: bool) -> ModelView:
        """Describe the model, with an answer if asked for."""

    @abstractmethod
    def submit(self, window: Window, writer: Writer) -> "Future[Answered]":
        """Begin to answer a window."""

    @abstractmethod
    def close(self, *, failed: bool = False) -> None:
        """End it, at once where something has failed."""


class LocalEngine(Engine):
    """Answers windows in this process.

    Args:
        predictor: the model.
        options: `pair`, `tasks`, `batch_size`, `prompts`, `explain` … as `BasePredictor.predict` takes them.
        strict: a row that cannot be read is an error.
    """

    def __init__(self, predictor: BasePredictor, options: Mapping[str, Any], strict: bool = False) -> None:
        self._predictor = predictor
        self._options = dict(options)
        self._strict = strict

    def describe(self, sample: bool) -> ModelView:
        """Describe the model; the sample is the answer for rows that all say "a"."""
        predictor, options = self._predictor, self._options
        tasks = read_texts_from(predictor.choose(options.get("tasks")), options.get("text"))
        check_clean(options.get("clean"), options.get("explain", False))
        check_prompts(options.get("prompts", 1), tasks)
        check_pair(options.get("pair"), tasks)
        asked = {key: options[key] for key in ("level", "sets", "abstain") if key in options}
        Trust(**asked).check(tasks, named=options.get("tasks") is not None)
        found = None
        if sample:
            row = {column: "a" for task in tasks.values() for column in (task.text, task.pair) if column is not None}
            found = predictor.predict([row], **{**options, "pair": None, "abstain": None})[0]
            if options.get("abstain") is not None:
                # An answer that is unsure has further keys.
                unsure = predictor.predict([row], **{**options, "pair": None, "abstain": _SURE})[0]
                found |= {task: {**unsure[task], **found[task]} for task in tasks if isinstance(found[task], Mapping)}
        torch = sys.modules.get("torch")
        threads = int(torch.get_num_threads()) if torch is not None else os.cpu_count() or 1
        readers = tuple(find_readers(tasks, options.get("clean")).values())
        return ModelView(tuple(tasks), readers, choose_window(tasks), predictor.max_length, threads, found)

    def submit(self, window: Window, writer: Writer) -> "Future[Answered]":
        """Answer a window."""
        future: Future[Answered] = Future()
        future.set_result(self.answer(window, writer))
        return future

    def close(self, *, failed: bool = False) -> None:
        """Do nothing: the process goes on."""

    def answer(self, window: Window, writer: Writer) -> Answered:
        """Answer a window now.

        Raises:
            EquipoiseError: as `BasePredictor.predict` does.
        """
        predictor, rows = self._predictor, window.rows
        texts, cut = predictor.texts_read, predictor.texts_cut
        answers = predictor.predict(
            Inputs(rows, lambda index: window.places[index]),
            **self._options,
            errors="raise" if self._strict else "answer",
            show_progress=window.alone and len(rows) > self._options.get("batch_size", 64),
        )
        problems = Problems(len(rows))
        for answer, row, place in zip(answers, rows, window.places, strict=True):
            # A column of that name is moved into "given".
            if "error" in answer:
                problems.add([row.problem if isinstance(row, BadRow) else answer["error"]], place)
        texts, cut = predictor.texts_read - texts, predictor.texts_cut - cut
        return Answered(writer.encode(answers), problems, texts, cut, predictor.rounding)
