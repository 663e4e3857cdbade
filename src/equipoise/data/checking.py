"""Checking raw rows against the tasks that read them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from equipoise.errors import CellError, DataError, shorten
from equipoise.keys import is_blank, name_key, text_key
from equipoise.kinds import LabelError, Task, as_text, parse_number, show

from .cells import MappedCells, are_many, find, pack, share
from .nested import list_nested
from .rows import EmptyText, Rows
from .source_cells import SourceCells
from .spellings import say_map

if TYPE_CHECKING:
    from equipoise.config import SourceConfig

DISAGREEMENT = "the source's disagreement"
_SHOWN = 5
_SUBSET_VALUES = 20
FIX_LABELS = "Correct the cells; an empty label cell (null in JSON) means that the row has no label."
_FIX_DISAGREEMENT = "Correct the cells, or name another column (disagreement)."
_FIX_TEXTS = "Give these rows a text, or leave it empty: then they are left out."


class Problems:
    """Bad cells, collected so that one message names several and counts all."""

    def __init__(self) -> None:
        self._messages: list[tuple[int, str]] = []
        self._counts: Counter[str] = Counter()
        self._ways_out: dict[str, None] = {}

    def add(self, where: str, column: str, reader: str, message: object, hint: str) -> None:
        """Note one bad cell; `reader` is what reads it, such as "task 'polarity'"."""
        self._counts[reader] += 1
        self._ways_out[hint] = None
        if self._counts[reader] <= _SHOWN:
            message = f"{where}, column '{column}' ({reader}): {message}."
            self._messages.append((self._counts[reader], message))

    def find_tasks(self, tasks: Sequence[Task]) -> list[str]:
        """Return the names of the tasks that read a bad cell."""
        return [task.name for task in tasks if f"task '{task.name}'" in self._counts]

    def stop(self) -> None:
        """Raise if there is any problem.

        Raises:
            CellError: the first problems of each reader, how many more there are, and the ways out.
        """
        if not self._counts:
            return
        # The first problem of every reader comes first: a message has room for few.
        messages = [message for _, message in sorted(self._messages, key=lambda item: item[0])]
        raise CellError(*messages, " ".join(self._ways_out), left_out=self._counts.total() - len(messages))


def list_columns(keys: "SourceConfig", tasks: Sequence[Task], *, is_train: bool) -> dict[str, str]:
    """Return the columns that are read of a file of a source, and what reads each.

    Args:
        keys: the source's keys.
        tasks: the tasks that read the file.
        is_train: whether it is of the training split, which alone has disagreements.
    """
    columns = [(name, f"task '{task.name}'") for task in tasks for name in task.label_columns]
    columns += [(name, f"task '{task.name}'") for task in tasks for name in (task.text, task.pair) if name is not None]
    columns += [(name, "one of the source's subsets") for name in keys.subsets]
    columns += [(keys.group, "the source's group")] if keys.group is not None else []
    columns += [(keys.disagreement, DISAGREEMENT)] if is_train and keys.disagreement is not None else []
    found: dict[str, str] = {}
    for column, reader in columns:
        found.setdefault(column, reader)
    return found


def check_rows(rows: Rows, source: SourceCells, tasks: Sequence[Task], problems: Problems) -> Rows:
    """Check the cells that the tasks read, and parse them.

    Args:
        rows: raw rows of a source.
        source: reads the columns as the source's keys say.
        tasks: the tasks of the source.
        problems: where bad cells are noted.

    Returns:
        The rows with these columns only: "text:COLUMN" (text), "label:TASK" (the parsed label, None where
        there is none), "subset:COLUMN" and "group" (text or None), "keys" (the row's texts as `text_key`, a
        tuple without the pairs).

    Raises:
        DataError: a column is missing, or a subset column has too many values.
    """
    columns: dict[str, Sequence[Any]] = {}
    for task in tasks:
        columns[f"label:{task.name}"] = _labels(rows, source, task, problems)
    for column in dict.fromkeys(column for task in tasks for column in (task.text, task.pair) if column is not None):
        readers = [task for task in tasks if column in (task.text, task.pair)]
        labels = [columns[f"label:{task.name}"] for task in readers]
        columns[f"text:{column}"] = _texts(rows, source, column, readers[0].name, labels, problems)
    for task in tasks:
        columns[f"label:{task.name}"] = _locate(rows, columns, task, problems)
    for column in source.keys.subsets:
        columns[f"subset:{column}"] = _subsets(rows, source, column)
    if source.keys.group is not None:
        columns["group"] = _words(source.read(rows, source.keys.group, "the source's group"))
    # Sorted, so that what is chosen by them does not depend on the order of the tasks.
    texts = sorted({f"text:{task.text}" for task in tasks})
    keys = MappedCells(_make_keys, [columns[text] for text in texts])
    columns["keys"] = keys if are_many(len(rows)) else list(keys)
    return Rows(rows.file, rows.numbers, columns, rows.unit)


def leave_out_empty(rows: Rows, source: SourceCells, tasks: Sequence[Task]) -> Rows:
    """Take the labels off empty texts, and leave out the rows that have no other label.

    Args:
        rows: checked rows of a file, see `check_rows`.
        source: keeps which rows they are.
        tasks: the tasks of the source.

    Raises:
        CellError: a task has labels, and all of their texts (or second texts) are empty.
    """
    unread: dict[int, str] = {}
    for task in tasks:
        column_of_labels = f"label:{task.name}"
        labels = given = rows.columns[column_of_labels]
        count_labels = sum(label is not None for label in given)
        for column in (task.text, task.pair):
            if column is None:
                continue
            read = enumerate(zip(given, rows.columns[f"text:{column}"], strict=True))
            empty = [index for index, (label, text) in read if label is not None and not text]
            if empty and len(empty) == count_labels:
                raise CellError(
                    f"{rows.where(empty[0])}, column '{column}' (task '{task.name}'): found no text on any of "
                    f"{len(empty):,} rows with a label, expected texts. Name the column of the texts (`text` or `pair` "
                    "of the task), or fill it."
                )
            unread |= {index: show(labels[index]) for index in empty if labels[index] is not None}
            if empty:
                without = frozenset(empty)
                cells = (None if index in without else label for index, label in enumerate(labels))
                labels = rows.columns[column_of_labels] = pack(cells, len(rows))
    found = [rows.columns[f"label:{task.name}"] for task in tasks]
    alone = {index for index in unread if all(labels[index] is None for labels in found)}
    source.empty += [EmptyText(rows.place(index), label, index in alone) for index, label in sorted(unread.items())]
    return rows.take(find((index not in alone for index in range(len(rows))), len(rows))) if alone else rows


def read_disagreement(rows: Rows, source: SourceCells, column: str, problems: Problems) -> Sequence[float | None]:
    """Read a column of raters' disagreement: a number from 0 up, or nothing.

    Raises:
        DataError: the column is missing.
    """
    return pack(_disagreements(rows, source, column, problems), len(rows))


def _disagreements(rows: Rows, source: SourceCells, column: str, problems: Problems) -> Iterator[float | None]:
    for index, cell in enumerate(source.read(rows, column, DISAGREEMENT)):
        number: float | None = None
        # Only NaN differs from itself: in Parquet files it may stand for "nothing".
        if cell is not None and cell == cell:
            try:
                number = parse_number(source.as_number(cell))
            except LabelError:
                number = -1.0
            if number < 0:
                expected = f"found {show(cell)}, expected a number from 0 up, or an empty cell"
                problems.add(rows.where(index), column, DISAGREEMENT, expected, _FIX_DISAGREEMENT)
        yield number


def _texts(
    rows: Rows, source: SourceCells, column: str, task: str, labels: Sequence[Sequence[Any]], problems: Problems
) -> Sequence[str]:
    """Read a column of texts, "" where there is none; what is no text is a fault where its reader has a label."""
    reader = f"task '{task}'"

    def read(index: int, cell: Any) -> str:
        cell = as_text(cell)
        # Only NaN differs from itself: in Parquet files it may stand for "nothing".
        if cell is None or cell != cell or (isinstance(cell, str) and is_blank(cell)):
            return ""
        if isinstance(cell, str):
            return cell
        if any(of_task[index] is not None for of_task in labels):
            problems.add(rows.where(index), column, reader, f"found {show(cell)}, expected a text", _FIX_TEXTS)
        return ""

    cells = source.clean(rows, column, source.read(rows, column, reader))
    return share(pack(map(read, count(), cells), len(rows)), cells)


def _labels(rows: Rows, source: SourceCells, task: Task, problems: Problems) -> Sequence[Any]:
    reader = f"task '{task.name}'"
    failed: list[tuple[int, Any, LabelError]] = []
    columns = [source.read(rows, column, reader) for column in task.label_columns]
    if task.shows_texts:
        columns = [source.clean(rows, column, cells) for column, cells in zip(task.label_columns, columns, strict=True)]

    def read(index: int, *cells: Any) -> Any:
        cell = task.join_cells(cells)
        if isinstance(cell, list | dict) and not task.takes_lists:
            found = f"found {show(cell)}, expected one value"
            problems.add(rows.where(index), task.label, reader, found, _find_inside(cell, task) or FIX_LABELS)
        elif cell is not None:
            try:
                return source.parse(task, cell)
            except LabelError as error:
                failed.append((index, cell, error))
        return None

    labels = share(pack(map(read, count(), *columns), len(rows)), columns[0])
    known = [name for vocabulary in task.vocabularies for name in vocabulary.known]
    proposed = say_map(sorted({cell.strip() for _, cell, _ in failed if known and isinstance(cell, str)}), known)
    for index, cell, problem in failed:
        hint = _find_inside(cell, task) or source.find_hint(task, cell) or proposed
        problems.add(rows.where(index), task.label, reader, problem, hint or problem.hint or FIX_LABELS)
    return labels


def _find_inside(cell: Any, task: Task) -> str:
    """Return which column inside a cell may be meant, where it holds keys that are no label; else ""."""
    if not isinstance(cell, dict) and task.takes_lists:
        return ""
    inside = list_nested({task.label: [cell]})
    return f"Name what is to be read of it, such as label: {shorten(inside[0], 60)}." if inside else ""


def _locate(rows: Rows, columns: dict[str, Sequence[Any]], task: Task, problems: Problems) -> Sequence[Any]:
    """Return a task's labels with their places in the texts, where its kind has such."""
    labels = columns[f"label:{task.name}"]
    if type(task).locate is Task.locate:
        return labels

    def find_place(index: int, label: Any, text: str) -> Any:
        if label is not None and text:
            try:
                return task.locate(label, text)
            except LabelError as error:
                problems.add(rows.where(index), task.label, f"task '{task.name}'", error, error.hint or FIX_LABELS)
                return None
        return label

    return pack(map(find_place, count(), labels, columns[f"text:{task.text}"]), len(rows))


def _make_keys(*texts: str) -> tuple[str, ...]:
    return (*map(text_key, texts),)


def _subsets(rows: Rows, source: SourceCells, column: str) -> Sequence[str | None]:
    words = _words(source.read(rows, column, "one of the source's subsets"))
    count = len({name_key(word) for word in set(words) if word is not None})
    if count > _SUBSET_VALUES:
        raise DataError(
            f"{rows.file}, column '{column}': found {count} different values, expected at most "
            f"{_SUBSET_VALUES}. Leave it out of the source's subsets."
        )
    return words


def _words(cells: Sequence[Any]) -> Sequence[str | None]:
    # Only NaN differs from itself: in Parquet files it may stand for "nothing".
    return pack((None if cell is None or cell != cell else str(cell) for cell in cells), len(cells))
