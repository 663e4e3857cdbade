"""One answer for each text from what a head says of its windows."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import RowBatch, split_offsets
from equipoise.kinds import Task, TokenWindow

from .model import MultiTaskModel

Places = npt.NDArray[np.int64]


class WindowAnswers(ABC):
    """Collects what a task's head says of windows, and predicts for their texts."""

    @abstractmethod
    def add(self, texts: Places, rows: RowBatch, outputs: Tensor) -> None:
        """Add the outputs for some windows.

        Args:
            texts: which text each belongs to, shape (n,).
            rows: the windows, as `tokenize` returned them.
            outputs: of the head.
        """

    @abstractmethod
    def predict(self) -> npt.NDArray[Any] | None:
        """Return the predictions, texts in the first dimension, once all is added; None where there is no text."""


class WindowMeans(WindowAnswers):
    """Averages the outputs for the windows of each text, and predicts from the mean.

    Logits and scores are averaged before they become predictions (our design).

    Args:
        model: the model.
        task: the task's name.
        texts: how many texts.
    """

    def __init__(self, model: MultiTaskModel, task: str, texts: int) -> None:
        self._head = model.head(task)
        self._device = model.device
        self._type = torch.float32
        self._sums: Tensor | None = None
        self._counts = torch.zeros(texts, dtype=torch.float64)

    def add(self, texts: Places, rows: RowBatch, outputs: Tensor) -> None:
        """Add the outputs for some windows, n in the first dimension."""
        places = torch.from_numpy(texts)
        if self._sums is None:
            self._type = outputs.dtype
            self._sums = torch.zeros(len(self._counts), *outputs.shape[1:], dtype=torch.float64)
        self._sums.index_add_(0, places, outputs.cpu().double())
        self._counts.index_add_(0, places, torch.ones(len(places), dtype=torch.float64))

    def predict(self) -> npt.NDArray[Any] | None:
        """Return the predictions from the means."""
        if self._sums is None:
            return None
        means = self._sums / self._counts.reshape(-1, *[1] * (self._sums.ndim - 1))
        return self._head.predict(means.to(self._device, self._type)).cpu().double().numpy()


class WindowCells(WindowAnswers):
    """Hands all windows of a text to a task that reads tokens, as soon as they are there.

    Windows of a text that come one after the other are kept no longer than a batch or two.

    Args:
        model: the model.
        task: the task's name.
        counts: how many windows each text has, shape (texts,).
    """

    def __init__(self, model: MultiTaskModel, task: str, counts: Places) -> None:
        self._head = model.head(task)
        self._task = model.tasks[task]
        self._missing = counts.copy()
        self._texts: dict[int, str] = {}
        self._windows: dict[int, list[TokenWindow]] = {}
        self._found = np.empty(len(counts), dtype=object)

    def add(self, texts: Places, rows: RowBatch, outputs: Tensor) -> None:
        """Add the outputs for some windows, cells in the first dimension."""
        cells = self._head.predict(outputs).cpu().double().numpy()
        read = zip(texts.tolist(), rows.numbers("window").tolist(), rows.objects("text"), strict=True)
        for (text, number, words), window in zip(read, cut_cells(self._task, rows, cells), strict=True):
            if number == 0:
                self._texts[text] = words
            self._windows.setdefault(text, []).append(window)
            self._missing[text] -= 1
            if not self._missing[text]:
                # Where a text is cut from the left, its first window is its last stretch.
                windows = sorted(self._windows.pop(text), key=lambda one: one.offsets[:1].tolist())
                self._found[text] = self._task.read_cells(self._texts.pop(text), windows)

    def predict(self) -> npt.NDArray[Any] | None:
        """Return the predictions."""
        return self._found if len(self._found) else None


def gather_answers(model: MultiTaskModel, task: str, owners: Places) -> WindowAnswers:
    """Return what collects a task's answers.

    Args:
        model: the model.
        task: the task's name.
        owners: for each window the text it belongs to, shape (windows,), counted from 0.
    """
    counts = np.bincount(owners)
    if model.tasks[task].has_token_head:
        return WindowCells(model, task, counts)
    return WindowMeans(model, task, len(counts))


def cut_cells(task: Task, rows: RowBatch, cells: npt.NDArray[np.float64]) -> list[TokenWindow]:
    """Return what a head says of each row.

    Args:
        task: the task.
        rows: the rows, as `tokenize` returned them.
        cells: what it says of their cells, row after row.
    """
    windows = []
    start = 0
    for offsets in split_offsets(rows):
        end = start + task.count_cells(len(offsets))
        windows.append(TokenWindow(offsets, cells[start:end]))
        start = end
    return windows
