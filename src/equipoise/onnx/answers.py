"""One prediction for each text from what a graph gives for its rows."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.kinds import Task, TokenWindow

from .rows import Row, RowReader
from .session import predict_means

Floats = npt.NDArray[np.float64]


class Answers(ABC):
    """Collects what a graph gives for rows, and predicts for their texts."""

    @abstractmethod
    def add(self, rows: Sequence[Row], values: Floats, width: int) -> None:
        """Add what the graph gives for a batch of rows, whose padded rows have so many places."""

    @abstractmethod
    def predict(self) -> npt.NDArray[Any]:
        """Return the predictions, texts in the first dimension, once all is added."""


class RowAnswers(Answers):
    """Predictions of texts that are one row each."""

    def __init__(self, texts: int) -> None:
        self._texts = texts
        self._found: Floats | None = None

    def add(self, rows: Sequence[Row], values: Floats, width: int) -> None:
        """Add predictions, rows in the first dimension."""
        if self._found is None:
            self._found = np.empty((self._texts, *values.shape[1:]))
        self._found[[row.text for row in rows]] = values

    def predict(self) -> npt.NDArray[Any]:
        """Return the predictions."""
        assert self._found is not None
        return self._found


class MeanAnswers(Answers):
    """Averages a head's outputs over the windows of each text, as `equipoise.modeling` does.

    Args:
        counts: windows of each text.
        graph: from averaged outputs to predictions.
        number: the task's.
    """

    def __init__(self, counts: Sequence[int], graph: Any, number: int) -> None:
        self._counts, self._graph, self._number = counts, graph, number
        self._sums: Floats | None = None

    def add(self, rows: Sequence[Row], values: Floats, width: int) -> None:
        """Add outputs, rows in the first dimension."""
        if self._sums is None:
            self._sums = np.zeros((len(self._counts), *values.shape[1:]))
        np.add.at(self._sums, [row.text for row in rows], values)

    def predict(self) -> npt.NDArray[Any]:
        """Return the predictions from the means."""
        assert self._sums is not None
        means = self._sums / np.reshape(self._counts, (-1, *[1] * (self._sums.ndim - 1)))
        return predict_means(self._graph, self._number, means).astype(np.float64)


class TokenAnswers(Answers):
    """Hands what a graph gives for the tokens of a text to its task, as soon as all windows are there.

    Args:
        task: the task.
        texts: the texts.
        counts: windows of each text.
        reader: pads the rows.
    """

    def __init__(self, task: Task, texts: Sequence[str], counts: Sequence[int], reader: RowReader) -> None:
        self._task, self._texts, self._reader = task, texts, reader
        self._missing = Counter(dict(enumerate(counts)))
        self._windows: dict[int, list[TokenWindow]] = {}
        self._found = np.empty(len(texts), dtype=object)

    def add(self, rows: Sequence[Row], values: Floats, width: int) -> None:
        """Add predictions for all places of rows, (rows · width) × classes."""
        places = values.reshape(len(rows), width, -1)
        for row, of_row in zip(rows, places, strict=True):
            offsets = np.reshape(row.tokens["offsets"], (-1, 2)).astype(np.int64)
            start = self._reader.first_place(row, width) + row.tokens["text_start"]
            self._windows.setdefault(row.text, []).append(TokenWindow(offsets, of_row[start : start + len(offsets)]))
            self._missing[row.text] -= 1
            if not self._missing[row.text]:
                # Where a text is cut from the left, its first window is its last stretch.
                windows = sorted(self._windows.pop(row.text), key=lambda one: one.offsets[:1].tolist())
                self._found[row.text] = self._task.read_cells(self._texts[row.text], windows)

    def predict(self) -> npt.NDArray[Any]:
        """Return the predictions."""
        return self._found
