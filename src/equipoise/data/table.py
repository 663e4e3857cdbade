"""The table with missing labels: every source's rows, one label column a task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import datasets
import numpy as np
import pyarrow as pa

from equipoise.kinds import Task, View

from .cells import to_arrow
from .in_memory import wrap_table
from .rows import Rows

_TYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<int8>": pa.list_(pa.int8()),
    "string": pa.string(),
}
"""How a split stores labels, by `Task.label_type`."""


class SplitCounts(TypedDict):
    """How much a split holds: rows, and labels by task."""

    rows: int
    labels: dict[str, int]


@dataclass(frozen=True)
class Table:
    """Rows of all sources by split, each with the labels that its source has.

    Args:
        tasks: the tasks by name, their label spaces resolved on train.
        splits: "train", "dev" and "test". The columns are "source", "text", "pair" (None where a task reads
            one text), "disagreement" (of the raters: float64, null where it is not known; only in splits where a
            source names a column of it), "subset:COLUMN" (None where the source lacks it) and "label:TASK" (null
            where the row has none): float64 in the user's units for regression, int64 class index for
            classification, int8 0 or 1 for each label in a list for multilabel, the text for generation.
            In train a row is one text (and pair); dev and test hold the rows that were given.
        notes: what was dropped, merged or taken from train: plain sentences.
    """

    tasks: dict[str, Task]
    splits: dict[str, datasets.Dataset]
    notes: list[str]

    @property
    def scored(self) -> dict[str, Task]:
        """The tasks that are not auxiliary; they alone have labels in dev and test."""
        return {name: task for name, task in self.tasks.items() if not task.auxiliary}

    def labels(self, task: str, split: str) -> np.ndarray:
        """Return a task's labels in row order.

        Returns:
            float64 or int64, shape (labelled rows,); int8, shape (labelled rows, labels), for multilabel; text in an
            object array, shape (labelled rows,), for generation.
        """
        column = self._column(task, split).drop_null()
        about = self.tasks[task]
        if about.label_shape:
            return np.array(column.to_pylist(), dtype=np.int8).reshape(-1, *about.label_shape)
        return np.array(column.to_pylist(), dtype=object) if about.label_type == "string" else column.to_numpy()

    def rows(self, task: str, split: str) -> np.ndarray:
        """Return the indices of the rows that carry a task's label, shape (labelled rows,)."""
        return np.flatnonzero(self._column(task, split).is_valid().to_numpy())

    def items(self, task: str, split: str) -> list[tuple[str, str | None, Any]]:
        """Return a task's texts, second texts and labels in row order; they can be held in a set."""
        rows = self.splits[split][self.rows(task, split)]
        # Lists of labels become tuples, which a set can hold.
        labels = [tuple(label) if isinstance(label, list) else label for label in self.labels(task, split).tolist()]
        return list(zip(rows["text"], rows["pair"], labels, strict=True))

    def texts(self, split: str) -> list[str]:
        """Return the distinct texts and second texts of a split, in the order of their first rows."""
        columns = (self.splits[split][name][:] for name in ("text", "pair"))
        return list(dict.fromkeys(text for column in columns for text in column if text is not None))

    def counts(self) -> dict[str, SplitCounts]:
        """Return the rows and the labels by task of each split."""
        return {
            split: {
                "rows": len(dataset),
                "labels": {task: len(self.rows(task, split)) for task in self.tasks},
            }
            for split, dataset in self.splits.items()
        }

    def _column(self, task: str, split: str) -> Any:
        return self.splits[split].with_format("arrow")[:][f"label:{task}"]


def join_views(views: dict[View, Rows], tasks: dict[str, Task], subsets: Sequence[str]) -> datasets.Dataset:
    """Return the rows of one split of all views, one after the other, as a table's split."""
    sources = [pa.repeat(view.source, len(rows)) for view, rows in views.items()]
    columns: dict[str, pa.ChunkedArray] = {"source": pa.chunked_array(sources, pa.string())}

    def add(name: str, kind: str, cells: Iterable[Sequence[Any] | None]) -> None:
        of_type = _TYPES[kind]
        parts = [
            [pa.nulls(len(rows), of_type)] if own is None else to_arrow(own, of_type)
            for rows, own in zip(views.values(), cells, strict=True)
        ]
        columns[name] = pa.chunked_array([chunk for part in parts for chunk in part], of_type)

    def pick(name: str, reader: Task | None = None) -> list[Sequence[Any] | None]:
        read = (rows.columns if reader is None or view == reader.view else {} for view, rows in views.items())
        return [found.get(name) for found in read]

    add("text", "string", [rows.columns[f"text:{view.text}"] for view, rows in views.items()])
    add("pair", "string", [rows.columns.get(f"text:{view.pair}") for view, rows in views.items()])
    if any("disagreement" in rows.columns for rows in views.values()):
        add("disagreement", "float64", pick("disagreement"))
    for column in subsets:
        add(f"subset:{column}", "string", pick(f"subset:{column}"))
    for name, task in tasks.items():
        add(f"label:{name}", task.label_type, pick(f"label:{name}", task))
    return wrap_table(pa.table(columns))
