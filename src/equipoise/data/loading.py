"""From the run file to the table."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from equipoise.errors import DataError, UsageError, did_you_mean
from equipoise.keys import loose_key
from equipoise.kinds import LabelError, NameIndex, Task, View, quote

from .checking import FIX_LABELS, Problems, check_rows, read_disagreement
from .merging import count_repeats, labelled, merge_repeats
from .rows import Rows, join_rows
from .source_cells import SourceCells, check_map
from .sources import SPLITS, SourceReader, read_source
from .spellings import check_listed, join_classes, join_words, say_map
from .splitting import choose, separate, split_rows
from .table import Table, join_views

if TYPE_CHECKING:
    from equipoise.config import RunConfig, SourceConfig


@dataclass(frozen=True)
class SourceSplits:
    """The rows of a run file's sources in their splits, before they become a table.

    Args:
        rows: by source and split, with the labels of all tasks that read the source, held-out ones among them.
        notes: what was left out, joined or taken from train: plain sentences.
    """

    rows: dict[str, dict[str, Rows]]
    notes: list[str]


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
        DataError: a file, a row or a label is not what the run file says.
        UsageError: the run file names a task that `fitted` does not have, or of another kind, or a starter
            corpus that does not exist.
    """
    return join_table(config, split_sources(config, fitted=fitted, read=read), fitted=fitted)


def split_sources(
    config: "RunConfig", *, fitted: dict[str, Task] | None = None, read: SourceReader = read_source
) -> SourceSplits:
    """Read, check and split all sources of a run: the first half of `load_table`, which also says what is raised.

    Args:
        config, fitted, read: see `load_table`.
    """
    # Held-out tasks are read like any other until texts are kept apart and rows are limited, so that these are the
    # rows of one model for all tasks.
    held_out = [task.build_task(name) for name, task in config.held_out.items()]
    tasks = [*_open_tasks(config, fitted).values(), *held_out]
    notes: list[str] = []
    sources: dict[str, dict[str, Rows]] = {}
    for name, source in config.sources.items():
        readers = [task for task in tasks if task.source == name]
        if readers:
            sources[name] = _load_source(name, source, readers, notes, read)
        else:
            notes.append(f"Source '{name}' is not read: no task names it.")
    separate(sources, notes)
    for name, splits in sources.items():
        for split, limit in config.sources[name].limit:
            if limit is not None and split in splits and limit < len(rows := splits[split]):
                splits[split] = choose(rows, limit)
                notes.append(f"Source '{name}', {split}: {limit} of {len(rows)} rows are used (limit).")
    return SourceSplits(sources, notes)


def join_table(config: "RunConfig", splits: SourceSplits, *, fitted: dict[str, Task] | None = None) -> Table:
    """Make the table of the sources' rows: the second half of `load_table`, which also says what is raised.

    Args:
        config: the run file, or one with fewer tasks that holds the others out: what is held out takes part in
            `split_sources` and in nothing here, so both have the same splits.
        splits: the rows; they stay as they are.
        fitted: see `load_table`.
    """
    tasks, notes = _open_tasks(config, fitted), list(splits.notes)
    parts = {split: _view_rows(split, splits.rows, _readers(tasks.values(), split), notes) for split in SPLITS}
    if fitted is None:
        tasks = {name: _fit(task, parts["train"][task.view]) for name, task in tasks.items()}
    notes += _describe_labels(parts, tasks)
    read = {task.source for task in tasks.values()}
    subsets = _join_subsets(config, [name for name in splits.rows if name in read], parts, notes)
    problems = Problems()
    for split, views in parts.items():
        for task in _readers(tasks.values(), split):
            _encode(views[task.view], task, problems)
    problems.stop()
    return Table(tasks, {split: join_views(views, tasks, subsets) for split, views in parts.items()}, notes)


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


def _readers(tasks: Iterable[Task], split: str) -> list[Task]:
    """The tasks that have labels in a split: auxiliary ones have them in train only."""
    return [task for task in tasks if split == "train" or not task.auxiliary]


def _load_source(
    name: str, source: "SourceConfig", tasks: Sequence[Task], notes: list[str], read: SourceReader
) -> dict[str, Rows]:
    """Read a source's rows that have a label, checked and in its splits: train alone if no task of it is scored."""
    scored = _readers(tasks, "test")
    problems = Problems()
    raw = read(source, SPLITS if scored else ("train",))
    cells = SourceCells(name, source)
    check_map(name, source, tasks)
    missing = [split for split in SPLITS if split not in raw] if scored else []
    _check_shares(name, source, missing)
    checked = {
        split: [check_rows(rows, cells, _readers(tasks, split), problems) for rows in files]
        for split, files in raw.items()
    }
    if source.disagreement is not None:
        for rows, found in zip(raw["train"], checked["train"], strict=True):
            found.columns["disagreement"] = read_disagreement(rows, cells, source.disagreement, problems)
    problems.stop()
    notes += cells.notes()
    notes += [note for files in raw.values() for rows in files for note in _name_twins(rows, tasks)]
    given = {
        split: join_rows([_with_label(rows, _readers(tasks, split), notes) for rows in files])
        for split, files in checked.items()
    }
    for task in tasks:
        join_classes(given, task, notes)
    if source.group is not None:
        join_words(given.values(), "group", f"Source '{name}', group column '{source.group}'", notes)
    if not scored:
        notes.append(f"Source '{name}' is read by auxiliary tasks only: all rows are for train: {len(given['train'])}.")
        return given
    texts = sorted({task.text for task in tasks})
    if missing and source.group is None and len(texts) > 1:
        raise UsageError(
            f"sources.{name}: its tasks read the text columns {quote(texts)}, so {' and '.join(missing)} cannot be "
            "taken by hash of the text; name the column to split by (group), or give a file for each split."
        )
    train = given["train"]
    splits = split_rows(given, source.split)
    for split in missing:
        splits[split] = _without_auxiliary(splits[split], tasks, f"Source '{name}', {split}", notes)
    for split in (*missing, "train"):
        if not splits[split]:
            raise DataError(
                f"source '{name}': {split} is empty: found {len(train)} rows in {train.file}, and by hash none "
                f"of them falls to {split} at split: {list(source.split)}. Give more rows, other shares, or a "
                "file for each split."
            )
    if missing:
        key = f"column '{source.group}'" if source.group else "text"
        sizes = ", ".join(f"{split} {len(splits[split])}" for split in ("train", *missing))
        notes.append(f"Source '{name}': {' and '.join(missing)} taken from {train.file} by hash of {key}: {sizes}.")
    return splits


def _describe_labels(parts: dict[str, dict[View, Rows]], tasks: dict[str, Task]) -> list[str]:
    """Say what kinds find remarkable in the labels of their tasks."""
    return [
        f"Task '{task.name}', {split}: {sentence}"
        for split, views in parts.items()
        for task in _readers(tasks.values(), split)
        for sentence in task.describe(
            [label for label in views[task.view].columns[f"label:{task.name}"] if label is not None]
        )
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


def _check_shares(name: str, source: "SourceConfig", missing: Sequence[str]) -> None:
    for split, share in zip(SPLITS, source.split, strict=True):
        if split in missing and share == 0:
            raise UsageError(
                f"sources.{name}.split: found {list(source.split)}, which leaves nothing for {split}, and {split} has "
                "no file of its own. Give it a share above 0, or a file."
            )


def _name_twins(rows: Rows, tasks: Sequence[Task]) -> list[str]:
    """Say which columns look like one that a task reads, and are not read."""
    read = dict.fromkeys(name for task in tasks for name in (task.text, task.pair, *task.label_columns) if name)
    by_key = {loose_key(name): name for name in read}
    return [
        f"{rows.file}: column {one!a} looks like {by_key[key]!a}, and is not read. If they are one column, spell it "
        "alike."
        for one in rows.columns
        if one not in read and (key := loose_key(one)) in by_key
    ]


def _with_label(rows: Rows, tasks: Sequence[Task], notes: list[str]) -> Rows:
    """Return a file's rows that have a label."""
    kept = labelled(rows, tasks)
    if not kept:
        columns = ", ".join(f"'{column}'" for column in dict.fromkeys(task.label for task in tasks))
        raise DataError(
            f"{rows.file}: found no label in column {columns} on any of {len(rows)} rows, "
            "expected one or more. Correct the column name in the run file, or fill the column."
        )
    if len(kept) < len(rows):
        notes.append(f"{rows.file}: rows left out because they have no label: {len(rows) - len(kept)}.")
    return kept


def _without_auxiliary(rows: Rows, tasks: Sequence[Task], where: str, notes: list[str]) -> Rows:
    """Take the labels of auxiliary tasks out of rows that were split off train."""
    kept = labelled(rows, _readers(tasks, "test"))
    if len(kept) < len(rows):
        left_out = len(rows) - len(kept)
        notes.append(f"{where}: rows left out because auxiliary tasks alone have a label on them: {left_out}.")
    hidden = {f"label:{task.name}" for task in tasks if task.auxiliary}
    return replace(kept, columns={name: cells for name, cells in kept.columns.items() if name not in hidden})


def _view_rows(
    split: str, sources: dict[str, dict[str, Rows]], tasks: Sequence[Task], notes: list[str]
) -> dict[View, Rows]:
    """Return each view's labelled rows, those of train without repeats."""
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
            if all(label is None for label in rows.columns[f"label:{task.name}"]):
                raise DataError(
                    f"task '{task.name}': found no label in {split} (source '{view.source}', column "
                    f"'{task.label}', {len(rows)} rows), expected one or more. Label some rows of {split}."
                )
        # Columns are replaced from here on, and other tables may be made of the same rows.
        views[view] = replace(rows, columns=dict(rows.columns))
    return views


def _fit(task: Task, rows: Rows) -> Task:
    labels = [label for label in rows.columns[f"label:{task.name}"] if label is not None]
    try:
        fitted = task.fit(labels)
    except LabelError as error:
        raise DataError(
            f"{rows.file}, column '{task.label}' (task '{task.name}', {len(labels)} training labels): {error}. "
            "Check the column, or leave the task out."
        ) from None
    return _check_metric(fitted)


def _encode(rows: Rows, task: Task, problems: Problems) -> None:
    column = f"label:{task.name}"
    labels = rows.columns[column]
    encoded: list[Any] = []
    for index, label in enumerate(labels):
        try:
            encoded.append(None if label is None else task.encode(label))
        except LabelError as error:
            hint = _propose(task, labels) or error.hint or FIX_LABELS
            problems.add(rows.where(index), task.label, f"task '{task.name}'", error, hint)
    rows.columns[column] = encoded


def _propose(task: Task, labels: Sequence[Any]) -> str:
    """Say which spellings of names that are not known may stand for known ones."""
    for vocabulary in task.vocabularies:
        index = NameIndex(vocabulary.known)
        names = {name for label in labels if label is not None for name in vocabulary.of(label)}
        if hint := say_map(sorted(name for name in names if name not in index), vocabulary.known):
            return hint
    return ""
