"""Repeated texts: one row each in train, kept and counted elsewhere."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import numpy as np

from equipoise.keys import normalize
from equipoise.kinds import Task, View

from .cells import find, pack
from .rows import Rows


def merge_repeats(rows: Rows, view: View, tasks: Sequence[Task]) -> tuple[Rows, list[str]]:
    """Merge the training rows that repeat text and pair into one row each.

    Labels that differ become what their task makes of them (`Task.merge`): the mean of scores, the majority of
    classes, …. The merged row stands where its first row stood.

    Returns:
        The rows that are left with a label, and notes on what was done.
    """
    repeated = find_repeated(lambda: _keys(rows, view), len(rows))
    if not repeated:
        return rows, []
    is_first = np.ones(len(rows), dtype=np.bool_)
    is_first[[index for group in repeated for index in group[1:]]] = False
    merged = rows.take(np.flatnonzero(is_first))
    places = np.cumsum(is_first) - 1
    notes = [f"rows merged because they repeat text (and pair) of another: {len(rows) - len(merged)}"]
    for task in tasks:
        before, changed = rows.columns[f"label:{task.name}"], {}
        conflicts = ties = 0
        for group in repeated:
            labels = [before[index] for index in group if before[index] is not None]
            differ = len(set(labels)) > 1
            label = task.merge(labels) if differ else labels[0] if labels else None
            changed[int(places[group[0]])] = label
            conflicts += differ
            ties += differ and label is None
        cells = enumerate(merged.columns[f"label:{task.name}"])
        merged.columns[f"label:{task.name}"] = pack((changed.get(place, cell) for place, cell in cells), len(merged))
        if conflicts:
            rule = task.merge_rule + (f"; ties without a label: {ties}" if ties else "")
            notes.append(f"merged texts whose labels of '{task.name}' differed: {conflicts} ({rule})")
    return labelled(merged, tasks), notes


def count_repeats(rows: Rows, view: View) -> int:
    """Return how many rows repeat an earlier row's text and pair."""
    return sum(len(group) - 1 for group in find_repeated(lambda: _keys(rows, view), len(rows)))


def labelled(rows: Rows, tasks: Sequence[Task]) -> Rows:
    """Return the rows on which at least one of the tasks has a label."""
    labels = [rows.columns[f"label:{task.name}"] for task in tasks]
    kept = find((any(label is not None for label in row) for row in zip(*labels, strict=True)), len(rows))
    return rows if len(kept) == len(rows) else rows.take(kept)


def find_repeated(read: Callable[[], Iterable[Hashable]], count: int) -> list[list[int]]:
    """Return the rows of each key that several rows have, in the order of the first of them.

    Keys are not kept but for those whose hash repeats, since mostly few do.

    Args:
        read: gives the key of each row; it is called twice.
        count: how many rows there are.
    """
    hashes = np.fromiter(map(hash, read()), dtype=np.int64, count=count)
    ordered = np.sort(hashes)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return []
    groups: dict[Hashable, list[int]] = {}
    may_repeat = np.isin(hashes, repeated)
    for index, key in enumerate(read()):
        if may_repeat[index]:
            groups.setdefault(key, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _keys(rows: Rows, view: View) -> Iterator[Hashable]:
    # Not the keys by which splits are kept apart: texts that differ in case are two.
    columns = [
        map(normalize, rows.columns[f"text:{column}"]) for column in (view.text, view.pair) if column is not None
    ]
    return zip(*columns, strict=True)
