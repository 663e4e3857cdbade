"""Records arranged as the rows of a table, for the report and the terminal alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.evaluation import Record
from equipoise.kinds import Task, get_metric

PROBE = "°"
"""The mark of a value that a linear probe reached."""
_MODELS = {"run": "this run", "vader": "VADER", "zero_shot": "zero-shot", "few_shot": "few-shot"}
_FIRST = ("run", "uncalibrated", "single-task")


@dataclass(frozen=True)
class Cell:
    """One model's value, written out."""

    value: str
    interval: str
    best: bool


@dataclass(frozen=True)
class Row:
    """One metric of one task on one subset: a cell a model, None where the model has no value."""

    task: str
    metric: str
    primary: bool
    higher_is_better: bool
    subset: str
    n: int
    cells: list[Cell | None]


@dataclass(frozen=True)
class Table:
    """Rows in the order of the run file, and the models their cells belong to."""

    models: list[str]
    rows: list[Row]

    def of(self, task: str) -> list[Row]:
        """The rows of one task."""
        return [row for row in self.rows if row.task == task]


def arrange(
    records: Sequence[Record],
    tasks: Mapping[str, Task],
    *,
    split: str,
    column: str | None = None,
) -> Table:
    """Arrange records as a table of models side by side.

    Args:
        records: records of any models, splits and subsets.
        tasks: the tasks by name, which give order and primary metric.
        split: the split to show.
        column: None for all rows and every metric; else a subset column, for its values and the primary
            metric.
    """
    chosen = [
        record
        for record in records
        if record["split"] == split
        and record["task"] in tasks
        and _column(record["subset"]) == column
        and (column is None or record["metric"] == tasks[record["task"]].metric)
    ]
    found_models = dict.fromkeys(record["model"] for record in chosen)
    models = [model for model in _FIRST if model in found_models]
    models += [model for model in found_models if model not in _FIRST]
    values = {(r["task"], r["subset"], r["metric"], r["model"]): r for r in chosen}
    rows = []
    for name, task in tasks.items():
        for subset in dict.fromkeys(record["subset"] for record in chosen if record["task"] == name):
            for metric in task.reported:
                found = [values.get((name, subset, metric, model)) for model in models]
                if any(found):
                    rows.append(_row(task, subset, metric, found))
    return Table([_MODELS.get(model, model) for model in models], rows)


def main_split(records: Sequence[Record]) -> str:
    """The split a table is about: test where it was scored, else the first that was."""
    splits = dict.fromkeys(record["split"] for record in records)
    return "test" if "test" in splits else next(iter(splits), "test")


def subset_columns(records: Sequence[Record], split: str) -> list[str]:
    """The subset columns that records of a split have, in order."""
    columns = (_column(record["subset"]) for record in records if record["split"] == split)
    return list(dict.fromkeys(column for column in columns if column is not None))


def _column(subset: str) -> str | None:
    return None if subset == "all" else subset.partition("=")[0]


def _row(task: Task, subset: str, metric: str, found: Sequence[Record | None]) -> Row:
    records = [record for record in found if record is not None]
    values = [record["value"] for record in records]
    better = get_metric(metric).higher_is_better
    best = max(values) if better else min(values)
    digits = digits_for(max(map(abs, values)))

    def cell(record: Record | None) -> Cell | None:
        if record is None:
            return None
        low, high = record["low"], record["high"]
        interval = "" if low is None or high is None else f"[{write_number(low, digits)}, {write_number(high, digits)}]"
        is_best = len(values) > 1 and math.isclose(record["value"], best)
        return Cell(write_number(record["value"], digits), interval, is_best)

    return Row(
        task=task.name,
        metric=get_metric(metric).label,
        primary=metric == task.metric,
        higher_is_better=better,
        subset=subset.partition("=")[2] or subset,
        n=records[0]["n"],
        cells=[cell(record) for record in found],
    )


def digits_for(largest: float) -> int:
    """Decimals that show a row's values to about three digits."""
    if largest < 0.05:
        return 3 if largest == 0 else min(8, 2 - math.floor(math.log10(largest)))
    return next((digits for bound, digits in ((10, 3), (100, 2), (1000, 1)) if largest < bound), 0)


def write_number(value: float, digits: int) -> str:
    """Write a number with a true minus sign, and zero without one."""
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")
