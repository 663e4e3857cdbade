"""Repeated texts: one row each in train, kept and counted elsewhere."""

from collections.abc import Sequence
from typing import Any

from equipoise.keys import normalize
from equipoise.kinds import Task, View

from .rows import Rows


def merge_repeats(rows: Rows, view: View, tasks: Sequence[Task]) -> tuple[Rows, list[str]]:
    """Merge the training rows that repeat text and pair into one row each.

    Labels that differ become what their task makes of them (`Task.merge`): the mean of scores, the majority of
    classes, …. The merged row stands where its first row stood.

    Returns:
        The rows that are left with a label, and notes on what was done.
    """
    groups = list(_group(rows, view).values())
    repeated = [(place, group) for place, group in enumerate(groups) if len(group) > 1]
    if not repeated:
        return rows, []
    merged = rows.take([group[0] for group in groups])
    notes = [f"rows merged because they repeat text (and pair) of another: {len(rows) - len(groups)}"]
    for task in tasks:
        before, after = rows.columns[f"label:{task.name}"], merged.columns[f"label:{task.name}"]
        conflicts = ties = 0
        for place, group in repeated:
            labels = [before[index] for index in group if before[index] is not None]
            differ = len(set(labels)) > 1
            after[place] = task.merge(labels) if differ else labels[0] if labels else None
            conflicts += differ
            ties += differ and after[place] is None
        if conflicts:
            rule = task.merge_rule + (f"; ties without a label: {ties}" if ties else "")
            notes.append(f"merged texts whose labels of '{task.name}' differed: {conflicts} ({rule})")
    return labelled(merged, tasks), notes


def count_repeats(rows: Rows, view: View) -> int:
    """Return how many rows repeat an earlier row's text and pair."""
    return len(rows) - len(_group(rows, view))


def labelled(rows: Rows, tasks: Sequence[Task]) -> Rows:
    """Return the rows on which at least one of the tasks has a label."""
    labels = [rows.columns[f"label:{task.name}"] for task in tasks]
    kept = [i for i, row in enumerate(zip(*labels, strict=True)) if any(label is not None for label in row)]
    return rows if len(kept) == len(rows) else rows.take(kept)


def _group(rows: Rows, view: View) -> dict[Any, list[int]]:
    # Not the keys by which splits are kept apart: texts that differ in case are two.
    columns = [
        map(normalize, rows.columns[f"text:{column}"]) for column in (view.text, view.pair) if column is not None
    ]
    groups: dict[Any, list[int]] = {}
    for index, key in enumerate(zip(*columns, strict=True)):
        groups.setdefault(key, []).append(index)
    return groups
