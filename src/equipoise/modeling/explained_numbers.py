"""What an explanation takes apart: one number of each row of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .model import MultiTaskModel

Place = int | npt.NDArray[np.int64]
"""What `Task.explained` returns of one row; of a task whose head reads tokens what `Task.explained_cells` does."""


class Numbers(ABC):
    """One number of each row of a batch.

    Args:
        model: the model.
        task: the task.

    Attributes:
        tensors: what says which numbers they are, each with the rows in front, so that rows can be repeated.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, model: MultiTaskModel, task: str) -> None:
        self._model = model
        self._task = task

    @abstractmethod
    def compute(self, inputs: Mapping[str, Tensor], *tensors: Tensor) -> Tensor:
        """Return the numbers, shape (rows,).

        Args:
            inputs: padded rows.
            tensors: `tensors`, of these rows.
        """

    def _explain(self, outputs: Tensor, places: Tensor) -> Tensor:
        return self._model.head(self._task).objective.explained(outputs, places)


class RowNumbers(Numbers):
    """Numbers that a head reads off pooled features.

    Args:
        model: the model.
        task: the task.
        places: which number of each row.
    """

    def __init__(self, model: MultiTaskModel, task: str, places: Sequence[Place]) -> None:
        super().__init__(model, task)
        self.tensors = (torch.tensor(places, device=model.device),)

    def compute(self, inputs: Mapping[str, Tensor], *tensors: Tensor) -> Tensor:
        """Return the numbers, shape (rows,)."""
        rows = torch.arange(len(tensors[0]), device=tensors[0].device)
        return self._explain(self._model(inputs, {self._task: rows})[self._task], tensors[0])


class CellNumbers(Numbers):
    """Means over some cells of each row, of a head that reads tokens.

    Args:
        model: the model.
        task: the task.
        items: rows that `MultiTaskModel.encode_rows` returned, with places.
        places: the class of each cell, 0 for those that do not count.
        starts: where the tokens of each row start in the padded batch.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        task: str,
        items: Sequence[Mapping[str, Any]],
        places: Sequence[Place],
        starts: Sequence[int],
    ) -> None:
        super().__init__(model, task)
        cells = [np.flatnonzero(of_row) for of_row in places]
        chosen = np.full((2, len(items), max(len(of_row) for of_row in cells)), -1)
        for row, (of_row, targets) in enumerate(zip(cells, places, strict=True)):
            chosen[0, row, : len(of_row)] = of_row
            chosen[1, row, : len(of_row)] = np.asarray(targets)[of_row]
        firsts = [start + item["text_start"] for start, item in zip(starts, items, strict=True)]
        counts = [len(item["offsets"]) // 2 for item in items]
        numbers = np.array([firsts, counts, [np.size(of_row) for of_row in places]]).T
        self.tensors = tuple(torch.from_numpy(one).to(model.device) for one in (numbers, *chosen))

    def compute(self, inputs: Mapping[str, Tensor], *tensors: Tensor) -> Tensor:
        """Return the numbers, shape (rows,)."""
        numbers, cells, classes = tensors
        firsts, counts, sizes = (part[:, None] for part in numbers.unbind(dim=1))
        tokens = torch.arange(inputs["input_ids"].shape[1], device=numbers.device)
        read = (tokens >= firsts) & (tokens < firsts + counts)
        scored = {self._task: {"positions": read.flatten().nonzero().squeeze(1), "counts": counts.squeeze(1)}}
        outputs = self._model(inputs, {}, scored)[self._task]
        wanted = cells >= 0
        before = sizes.cumsum(dim=0) - sizes
        values = self._explain(outputs[(before + cells)[wanted]], classes[wanted])
        sums = values.new_zeros(len(numbers)).index_add(0, wanted.nonzero()[:, 0], values)
        return sums / wanted.sum(dim=1)


def make_numbers(
    model: MultiTaskModel,
    task: str,
    items: Sequence[Mapping[str, Any]],
    places: Sequence[Place],
    starts: Sequence[int],
) -> Numbers:
    """Return what is explained of some rows.

    Args:
        model, task, items, places, starts: see `CellNumbers`.
    """
    if model.tasks[task].has_token_head:
        return CellNumbers(model, task, items, places, starts)
    return RowNumbers(model, task, places)
