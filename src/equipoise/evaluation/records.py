"""The tidy form of every result, and the one number that sums a run up."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import TypedDict  # pydantic makes schemas of typing's from Python 3.12 on

from equipoise.kinds import Task


class Record(TypedDict):
    """One value of one metric: a line of `metrics.json`.

    `metric` is its name in the run file, with the classes it is of: "macro_f1", "f1(irony)", "mean_f1(against, favor)".
    `subset` is "all" or "column=value"; `model` is "run" or a baseline's name; `low` and `high` bound the
    95 % interval and are None where it was not asked for; `n` counts the rows scored.
    """

    split: str
    subset: str
    model: str
    task: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int


def metrics_schema() -> dict[str, Any]:
    """Return the JSON schema of `metrics.json`, a list of `Record`."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(list[Record]).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "metrics.json", **schema}


def as_stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return labels or predictions as an npz file can hold them: texts as numpy's unicode, never as objects."""
    return array.astype(np.str_) if array.dtype == object else array


def run_score(records: Iterable[Record], tasks: Mapping[str, Task]) -> float:
    """Return the run score: the mean over scored tasks of max(0, primary metric) on all rows (our design).

    Args:
        records: records of one model on one split, as `score_task` returns them.
        tasks: the tasks by name; each that is not auxiliary has its primary metric among the records.

    Raises:
        ValueError: a task's primary metric is missing, or stands there twice.
    """
    primary: dict[str, list[float]] = {name: [] for name, task in tasks.items() if not task.auxiliary}
    for record in records:
        name = record["task"]
        if record["subset"] == "all" and name in primary and record["metric"] == tasks[name].metric:
            primary[name].append(record["value"])
    for name, values in primary.items():
        if len(values) != 1:
            raise ValueError(
                f"task '{name}': found {len(values)} records of {tasks[name].metric} on subset 'all', "
                "expected one (records of one model on one split)"
            )
    return sum(max(0.0, values[0]) for values in primary.values()) / len(primary)
