"""From the run file to the table."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from equipoise.errors import UnlearnableError, UsageError, did_you_mean
from equipoise.kinds import LabelError, NameIndex, Task, View

from .cells import pack, share
from .checking import FIX_LABELS, Problems
from .faults import Faults
from .merging import count_repeats, labelled, merge_repeats
from .rows import EmptyText, Rows
from .source_loading import load_source, scored_in
from .sources import SPLITS, SourceReader, read_source
from .spellings import check_listed, join_words, say_map
from .splitting import choose, separate
from .table import Table, join_views

if TYPE_CHECKING:
    from equipoise.config import RunConfig


@dataclass(frozen=True)
class SourceSplits:
    """The rows of a run file's sources in their splits, before they become a table.

    Args:
        rows: by source and split, with the labels of all tasks that read the source, held-out ones among them.
        notes: what was left out, joined or taken from train: plain sentences.
        whole: the same rows before those were dropped that stand in a later split, or are too many (limit).
        empty: by source, rows that were left out because their text is empty.
    """

    rows: dict[str, dict[str, Rows]]
    notes: list[str]
    whole: dict[str, dict[str, Rows]]
    empty: dict[str, Sequence[EmptyText]] = field(default_factory=dict)


def load_table(
    config: "RunConfig", *, fitted: dict[str, Task] | None = None, read: SourceReader = read_source
) -> Table:
    """Read, check, split and join all sources of a run.

    Args:
        config: the run file.
        fitted: tasks of a trained model; their label spaces are taken as they are and nothing is fitted. The
            run file still says which tasks are read, and from which source and columns.
        read: reads the files of a source; see `read_once`.

    Raises:
        DataError: a file, a row or a label is not what the run file says; all that can be found at once is listed.
        UsageError: the run file names a task that `fitted` does not have, or of another kind, or a starter
            corpus that does not exist.
    """
    faults = Faults()
    splits = split_sources(config, fitted=fitted, read=read, faults=faults)
    return join_table(config, splits, fitted=fitted, faults=faults)


def split_sources(
    config: "RunConfig",
    *,
    fitted: dict[str, Task] | None = None,
    read: SourceReader = read_source,
    faults: Faults | None = None,
) -> SourceSplits:
    """Read, check and split all sources of a run: the first half of `load_table`, which also says what is raised.

    Args:
        config, fitted, read: see `load_table`.
        faults: where faults are kept instead of being raised; sources that cannot be used are left out then.
    """
    found = Faults() if faults is None else faults
    # Held-out tasks are read like any other until texts are kept apart and rows are limited, so that these are the
    # rows of one model for all tasks.
    held_out = [task.build_task(name) for name, task in config.held_out.items()]
    tasks = [*_open_tasks(config, fitted).values(), *held_out]
    notes: list[str] = []
    sources: dict[str, dict[str, Rows]] = {}
    empty: dict[str, Sequence[EmptyText]] = {}
    for name, source in config.sources.items():
        readers = [task for task in tasks if task.source == name]
        if readers:
            loaded = load_source(name, source, readers, notes, read, found)
            empty[name] = loaded.empty
            sources |= {} if loaded.splits is None else {name: loaded.splits}
        else:
            notes.append(f"Source '{name}' is not read: no task names it.")
    whole = {name: dict(splits) for name, splits in sources.items()}
    with found.catch():
        separate(sources, notes)
    if faults is None:
        found.stop()
    for name, splits in sources.items():
        for split, limit in config.sources[name].limit:
            if limit is not None and split in splits and limit < len(rows := splits[split]):
                splits[split] = choose(rows, limit)
                notes.append(f"Source '{name}', {split}: {limit} of {len(rows)} rows are used (limit).")
    return SourceSplits(sources, notes, whole, empty)


def join_table(
    config: "RunConfig",
    splits: SourceSplits,
    *,
    fitted: dict[str, Task] | None = None,
    faults: Faults | None = None,
) -> Table:
    """Make the table of the sources' rows: the second half of `load_table`, which also says what is raised.

    Args:
        config: the run file, or one with fewer tasks that holds the others out: what is held out takes part in
            `split_sources` and in nothing here, so both have the same splits.
        splits: the rows; they stay as they are.
        fitted: see `load_table`.
        faults: what is wrong already: nothing is joined then, but the tasks that it leaves whole are looked at.
    """
    faults, notes = Faults() if faults is None else faults, list(splits.notes)
    whole = {name: task for name, task in _open_tasks(config, fitted).items() if task.source in splits.rows}
    parts = {
        split: _view_rows(split, splits.rows, scored_in(_without(faults, whole).values(), split), notes, faults)
        for split in SPLITS
    }
    tasks: dict[str, Task] = {}
    for name, task in _without(faults, whole).items():
        with faults.catch(name):
            tasks[name] = _fit(task, parts["train"][task.view]) if fitted is None else task
    notes += _describe_labels(parts, tasks)
    read = {task.source for task in tasks.values()}
    subsets = _join_subsets(config, [name for name in splits.rows if name in read], parts, notes)
    for split, views in parts.items():
        problems = Problems()
        for task in scored_in(tasks.values(), split):
            _encode(views[task.view], task, problems)
        with faults.catch():
            problems.stop()
    faults.stop()
    return Table(tasks, {split: join_views(views, tasks, subsets) for split, views in parts.items()}, notes)


def _without(faults: Faults, tasks: dict[str, Task]) -> dict[str, Task]:
    """Return the tasks whose labels have no fault."""
    return {name: task for name, task in tasks.items() if name not in faults.tasks}


def _open_tasks(config: "RunConfig", fitted: dict[str, Task] | None) -> dict[str, Task]:
    tasks = {name: check_listed(task) for name, task in config.open_tasks().items()}
    if fitted is None:
        return tasks
    return _adopt(fitted, tasks, {name for name in tasks if config.tasks[name].metric is not None})


def _adopt(fitted: dict[str, Task], tasks: dict[str, Task], with_metric: Collection[str]) -> dict[str, Task]:
    """Return a model's tasks, reading what the run file says; it can also state another primary metric."""
    adopted: dict[str, Task] = {}
    for name, task in tasks.items():
        if name not in fitted:
            raise UsageError(f"tasks.{name}: the model has no such task. {did_you_mean(name, fitted)}")
        if problem := task.contradiction(fitted[name]):
            raise UsageError(f"tasks.{name}.{problem}, as in the model; correct the run file.")
        metric = {"metric": task.metric, "metric_classes": task.metric_classes} if name in with_metric else {}
        adopted[name] = _check_metric(fitted[name].replace(**task.reading(), **metric))
    return adopted


def _check_metric(task: Task) -> Task:
    if problem := task.find_metric_problem():
        raise UsageError(f"tasks.{task.name}: 'metric' {problem}")
    return task


def _describe_labels(parts: dict[str, dict[View, Rows]], tasks: dict[str, Task]) -> list[str]:
    """Say what kinds find remarkable in the labels of their tasks."""
    return [
        f"Task '{task.name}', {split}: {sentence}"
        for split, views in parts.items()
        for task in scored_in(tasks.values(), split)
        for sentence in task.describe(_labels(views[task.view], task))
    ]


def _join_subsets(
    config: "RunConfig", sources: Iterable[str], parts: dict[str, dict[View, Rows]], notes: list[str]
) -> list[str]:
    """Give the words of each subset column one form over all sources, and return the columns."""
    columns = list(dict.fromkeys(column for name in sources for column in config.sources[name].subsets))
    rows = [rows for views in parts.values() for rows in views.values()]
    for column in columns:
        join_words(rows, f"subset:{column}", f"Subset column '{column}'", notes)
    return columns


def _view_rows(
    split: str, sources: dict[str, dict[str, Rows]], tasks: Sequence[Task], notes: list[str], faults: Faults
) -> dict[View, Rows]:
    """Return each view's labelled rows, those of train without repeats; tasks without any are faults."""
    views: dict[View, Rows] = {}
    for view in dict.fromkeys(task.view for task in tasks):
        readers = [task for task in tasks if task.view == view]
        rows = labelled(sources[view.source][split], readers)
        where = f"Source '{view.source}', {split}"
        if split == "train":
            rows, merged = merge_repeats(rows, view, readers)
            notes.extend(f"{where}: {note}." for note in merged)
        elif repeats := count_repeats(rows, view):
            notes.append(f"{where}: rows that repeat text (and pair) of another: {repeats}, kept as they are.")
        for task in readers:
            if any(label is not None for label in rows.columns[f"label:{task.name}"]):
                continue
            with faults.catch(task.name):
                raise UnlearnableError(
                    f"task '{task.name}': found no label in {split} (source '{view.source}', column "
                    f"'{task.label}', {len(rows)} rows), expected one or more. Label some rows of {split}."
                )
        # Columns are replaced from here on, and other tables may be made of the same rows: in them, a task may have
        # labels in this split that has none here.
        read = {f"label:{task.name}" for task in readers}
        columns = {name: cells for name, cells in rows.columns.items() if name in read or not name.startswith("label:")}
        views[view] = replace(rows, columns=columns)
    return views


def _fit(task: Task, rows: Rows) -> Task:
    labels = _labels(rows, task)
    try:
        fitted = task.fit(labels)
    except LabelError as error:
        raise UnlearnableError(
            f"{rows.file}, column '{task.label}' (task '{task.name}', {len(labels)} training labels): {error}. "
            "Check the column, or leave the task out."
        ) from None
    return _check_metric(fitted)


def _labels(rows: Rows, task: Task) -> Sequence[Any]:
    return pack((label for label in rows.columns[f"label:{task.name}"] if label is not None), len(rows))


def _encode(rows: Rows, task: Task, problems: Problems) -> None:
    column = f"label:{task.name}"
    labels = rows.columns[column]

    def encode(index: int, label: Any) -> Any:
        try:
            return None if label is None else task.encode(label)
        except LabelError as error:
            hint = _propose(task, labels) or error.hint or FIX_LABELS
            problems.add(rows.where(index), task.label, f"task '{task.name}'", error, hint)
            return None

    rows.columns[column] = share(pack(map(encode, count(), labels), len(rows)), labels)


def _propose(task: Task, labels: Sequence[Any]) -> str:
    """Say which spellings of names that are not known may stand for known ones."""
    for vocabulary in task.vocabularies:
        index = NameIndex(vocabulary.known)
        names = {name for label in labels if label is not None for name in vocabulary.of(label)}
        if hint := say_map(sorted(name for name in names if name not in index), vocabulary.known):
            return hint
    return ""
