"""From a source of the run file to checked rows in their splits."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from equipoise.errors import DataError, UsageError
from equipoise.keys import is_number, loose_key
from equipoise.kinds import Task, quote

from .cells import give_back
from .checking import Problems, check_rows, leave_out_empty, list_columns, read_disagreement
from .faults import Faults
from .merging import labelled
from .rows import EmptyText, Rows, join_rows
from .source_cells import SourceCells, check_map
from .sources import SPLITS, SourceReader
from .spellings import join_classes, join_words
from .splitting import split_rows

if TYPE_CHECKING:
    from equipoise.config import SourceConfig


@dataclass(frozen=True)
class LoadedSource:
    """What was read of a source.

    Args:
        splits: its rows, those without a readable label among them where there are faults; None where rows cannot be
            had.
        empty: those that are left out because their text is empty.
    """

    splits: dict[str, Rows] | None
    empty: Sequence[EmptyText]


def scored_in(tasks: Iterable[Task], split: str) -> list[Task]:
    """The tasks that have labels in a split: auxiliary ones have them in train only."""
    return [task for task in tasks if split == "train" or not task.auxiliary]


def load_source(
    name: str, source: "SourceConfig", tasks: Sequence[Task], notes: list[str], read: SourceReader, faults: Faults
) -> LoadedSource:
    """Read a source's rows that have a label, checked and in its splits: train alone if no task of it is scored.

    Args:
        name: the source's name.
        source: its keys.
        tasks: the tasks that read it.
        notes: what was left out, joined or taken from train is added.
        read: reads the files.
        faults: where faults are kept.
    """
    own, cells = Faults(), SourceCells(name, source)
    checked = _check_files(cells, tasks, notes, read, own)
    splits = None
    if not own.errors:
        with own.catch():
            splits = _split_files(name, source, tasks, notes, checked)
    elif not own.is_fatal:
        with suppress(DataError, UsageError):  # they may follow from labels that cannot be read
            splits = _split_files(name, source, tasks, [], checked)
    faults.join(own)
    give_back()
    return LoadedSource(splits, cells.empty)


def _check_files(
    cells: SourceCells, tasks: Sequence[Task], notes: list[str], read: SourceReader, faults: Faults
) -> dict[str, list[Rows]]:
    """Return the checked rows of each file, by split."""
    with faults.catch():
        check_map(cells.name, cells.keys, tasks)
    if faults.errors:
        return {}
    raw: dict[str, list[Rows]] = {}
    with faults.catch():
        raw = read(cells.keys, SPLITS if scored_in(tasks, "test") else ("train",), faults)
    checked: dict[str, list[Rows]] = {}
    for split, files in raw.items():
        readers = scored_in(tasks, split)
        found = [_check_file(rows, cells, readers, faults, split == "train") for rows in files]
        checked[split] = [rows for rows in found if rows is not None]
    notes += cells.notes()
    notes += [note for files in raw.values() for rows in files for note in _name_twins(rows, tasks)]
    return checked


def _check_file(rows: Rows, cells: SourceCells, tasks: Sequence[Task], faults: Faults, is_train: bool) -> Rows | None:
    """Return the checked rows of a file; None where it has not all columns."""
    missing = Faults()
    for column, reader in list_columns(cells.keys, tasks, is_train=is_train).items():
        with missing.catch():
            cells.check(rows, column, reader)
    faults.join(missing)
    if missing.errors:
        return None
    problems = Problems()
    with faults.catch():
        found = check_rows(rows, cells, tasks, problems)
        if is_train and cells.keys.disagreement is not None:
            found.columns["disagreement"] = read_disagreement(rows, cells, cells.keys.disagreement, problems)
        with faults.catch(*problems.find_tasks(tasks)):
            problems.stop()
            return leave_out_empty(found, cells, tasks)
        return found
    return None


def _split_files(
    name: str, source: "SourceConfig", tasks: Sequence[Task], notes: list[str], checked: dict[str, list[Rows]]
) -> dict[str, Rows]:
    """Return the labelled rows of a source by split, those of splits without files taken from train."""
    scored = scored_in(tasks, "test")
    missing = [split for split in SPLITS if split not in checked] if scored else []
    _check_shares(name, source, missing)
    given = {
        split: join_rows([_with_label(rows, scored_in(tasks, split), notes) for rows in files])
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
            _check_texts(train, texts)
            raise _explain_empty(name, source, split, train)
    if missing:
        key = f"column '{source.group}'" if source.group else "text"
        sizes = ", ".join(f"{split} {len(splits[split])}" for split in ("train", *missing))
        notes.append(f"Source '{name}': {' and '.join(missing)} taken from {train.file} by hash of {key}: {sizes}.")
    return splits


def _explain_empty(name: str, source: "SourceConfig", split: str, train: Rows) -> DataError:
    """Return the error of a split that no row of train falls to."""
    found, more = f"{len(train)} rows in {train.file}, and by hash none of them falls", "more rows"
    if source.group is not None:
        groups = len({*train.columns["group"]} - {None})
        count = f"{groups} group{'s' * (groups != 1)}"
        found = (
            f"{len(train)} rows in {train.file} in {count} (column '{source.group}'), each of which is in one split, "
            "and by hash none of them falls"
        )
        more = "rows of more groups"
    return DataError(
        f"source '{name}': {split} is empty: found {found} to {split} at split: {list(source.split)}. Give {more}, "
        "other shares, or a file for each split."
    )


def _check_texts(rows: Rows, columns: Sequence[str]) -> None:
    """Say of a column of texts that it holds numbers alone."""
    for column in columns:
        if all(text is None or is_number(text) for text in rows.columns[f"text:{column}"]):
            raise DataError(
                f"{rows.file}, column '{column}': found numbers alone, expected texts; name the column of the texts "
                "(`text` of the tasks)."
            )


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
    kept = labelled(rows, scored_in(tasks, "test"))
    if len(kept) < len(rows):
        left_out = len(rows) - len(kept)
        notes.append(f"{where}: rows left out because auxiliary tasks alone have a label on them: {left_out}.")
    hidden = {f"label:{task.name}" for task in tasks if task.auxiliary}
    return replace(kept, columns={name: cells for name, cells in kept.columns.items() if name not in hidden})
