"""Repeated texts: one row each in train, kept and counted elsewhere."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from equipoise.tasks import Classification, Task, View

from .rows import Rows


def merge_repeats(rows: Rows, view: View, tasks: Sequence[Task]) -> tuple[Rows, list[str]]:
    """Merge the training rows that repeat text and pair into one row each.

    Scores, also those that classes are cut from, become their mean, and classes the majority; a tie leaves
    no label (our design). The merged row stands where its first row stood.

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
            after[place] = _combine(labels, task)
            conflicts += len(set(labels)) > 1
            ties += bool(labels) and after[place] is None
        if conflicts:
            rule = "mean taken" if _has_scores(task) else f"majority taken; ties without a label: {ties}"
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
    texts = rows.columns[f"text:{view.text}"]
    keys = zip(texts, rows.columns[f"text:{view.pair}"], strict=True) if view.pair else texts
    groups: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        groups.setdefault(key, []).append(index)
    return groups


def _has_scores(task: Task) -> bool:
    return not isinstance(task, Classification) or task.from_score


def _combine(labels: list[Any], task: Task) -> Any:
    if len(set(labels)) <= 1:
        return labels[0] if labels else None
    if _has_scores(task):
        return fmean(labels)
    (first, most), (_, second) = Counter(labels).most_common(2)
    return first if most > second else None
