"""The rows that are audited: each split of each source, as it was read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from equipoise.config import RunConfig
from equipoise.data import SPLITS, EmptyText, Faults, Rows, SourceReader, SourceSplits, pack
from equipoise.kinds import Task

from .findings import Tally


@dataclass(frozen=True)
class Part:
    """The labelled rows of one split of one source, before rows are dropped or merged.

    Args:
        source: the source's name.
        split: "train", "dev" or "test".
        rows: the rows; their columns are those of `equipoise.data.check_rows`.
        tasks: the tasks that have labels on them, by name; their label spaces are resolved where train allows it.
    """

    source: str
    split: str
    rows: Rows
    tasks: Mapping[str, Task]

    def __len__(self) -> int:
        return len(self.rows)

    def about(self, column: str) -> str:
        """Return what messages call a column of the source."""
        return f"source '{self.source}', column '{column}'"

    def tally(self, count: int) -> Tally:
        """Return how many of its rows something is about."""
        return Tally(self.split, count, len(self))

    @cached_property
    def text_columns(self) -> list[str]:
        """The columns that hold first texts."""
        return list(dict.fromkeys(task.text for task in self.tasks.values()))

    @cached_property
    def read_columns(self) -> list[str]:
        """The columns that hold texts or second texts."""
        columns = (column for task in self.tasks.values() for column in (task.text, task.pair))
        return list(dict.fromkeys(column for column in columns if column is not None))

    def texts(self, column: str) -> Sequence[str]:
        """Return the texts of a column, "" where there is none."""
        found: Sequence[str] = self.rows.columns[f"text:{column}"]
        return found

    def find_row(self, task: str, text: str, pair: str | None) -> int | None:
        """Return the first row with a label of a task that has a text (and pair)."""
        about = self.tasks[task]
        labels, texts = self.rows.columns[f"label:{task}"], self.texts(about.text)
        pairs = self.texts(about.pair) if about.pair is not None else None
        return next(
            (
                index
                for index, found in enumerate(texts)
                if found == text and labels[index] is not None and (pairs is None or pairs[index] == pair)
            ),
            None,
        )

    def labels(self, task: str) -> tuple[Sequence[int], Sequence[Any]]:
        """Return the rows that have a label of a task, and the parsed labels."""
        column = self.rows.columns[f"label:{task}"]
        rows = (index for index, label in enumerate(column) if label is not None)
        return pack(rows, len(column)), pack((label for label in column if label is not None), len(column))


@dataclass(frozen=True)
class AuditedData:
    """What is audited.

    Args:
        config: the run file.
        parts: the splits of the sources.
        tasks: the tasks, their label spaces resolved where train allows it.
        read: gives the raw rows of a source again, without reading files twice.
        empty: by source, rows that were left out because their text is empty.
    """

    config: RunConfig
    parts: Sequence[Part]
    tasks: Mapping[str, Task]
    read: SourceReader
    empty: Mapping[str, Sequence[EmptyText]] = field(default_factory=dict)

    def of_task(self, name: str) -> Iterator[Part]:
        """Return the parts that have labels of a task, train first."""
        return (part for part in self.parts if name in part.tasks)

    def raw(self, source: str) -> Mapping[str, Sequence[Rows]]:
        """Return the rows of a source as they stand in its files, by split and file."""
        is_scored = any(not task.auxiliary for task in self.tasks.values() if task.source == source)
        return self.read(self.config.sources[source], SPLITS if is_scored else SPLITS[:1], Faults())

    def of_source(self, name: str) -> list[Part]:
        """Return the parts of a source, train first."""
        return [part for part in self.parts if part.source == name]


def gather_parts(config: RunConfig, splits: SourceSplits, tasks: Mapping[str, Task], read: SourceReader) -> AuditedData:
    """Return what is to be audited.

    Args:
        config: the run file.
        splits: its rows, see `equipoise.data.split_sources`.
        tasks: its tasks, fitted where that is possible.
        read: what has read the rows, see `equipoise.data.read_once`.
    """
    parts = [
        Part(source, split, rows, readers)
        for source, found in splits.whole.items()
        for split, rows in found.items()
        if (readers := {name: task for name, task in tasks.items() if _reads(task, source, rows)})
    ]
    return AuditedData(config, parts, tasks, read, splits.empty)


def _reads(task: Task, source: str, rows: Rows) -> bool:
    return task.source == source and f"label:{task.name}" in rows.columns
