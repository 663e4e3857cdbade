"""A comparison's numbers, written out for the page and the terminal alike."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from equipoise.kinds import get_metric

from .tables import digits_for, write_number


class Text(NamedTuple):
    """A cell written out: a value, what stands under it, whether it is the best of its column, half its interval."""

    value: str
    interval: str = ""
    best: bool = False
    half: str = ""


class Column(NamedTuple):
    """A column: its head, whether lower is better, whether it is the task's primary metric, a cell a row."""

    head: str
    lower_is_better: bool
    primary: bool
    cells: list[Text | None]


def metric_columns(task: str, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return a column for each metric of a task on test."""
    columns = []
    for metric in about["metrics"]:
        cells = [row["metrics"]["test"].get(task, {}).get(metric) for row in rows]
        if not any(cells):
            continue  # a metric that is younger than the trainings
        better = get_metric(metric).higher_is_better
        columns.append(
            Column(get_metric(metric).label, not better, metric == about["metric"], write_estimates(cells, better))
        )
    return columns


def against_columns(task: str, about: Mapping[str, Any], results: Mapping[str, Any]) -> list[Column]:
    """Return, for each reference row, a column of the items' metric against it and one of corrected p-values.

    An error, such as the MSE, stands there as a ratio, a score, such as the accuracy, as a difference in points.
    """
    metric = get_metric(about["item_metric"])
    columns = []
    for reference, tests in results["tests"].items():
        found = {test["row"]: test for test in tests if test["task"] == task}
        rows = [found.get(row["name"]) for row in results["rows"]]
        against = [
            test and (_points(test["difference"]) if metric.higher_is_better else _ratio(test["ratio"]))
            for test in rows
        ]
        p_values = [
            test and Text(_p(test["p_holm"]), f"uncorrected {_p(test['p'])}", test["p_holm"] < 0.05) for test in rows
        ]
        head = f"{metric.label} − {reference}, points" if metric.higher_is_better else f"{metric.label} ÷ {reference}"
        columns += [
            Column(head, not metric.higher_is_better, False, against),
            Column(f"p, {reference}", False, False, p_values),
        ]
    return columns


def part_columns(task: str, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return a column for each part, such as a class (F1, with recall under it) or a region of a score (MSE)."""
    columns = []
    measure, *others = about["part_metrics"] or [None]
    lower = about["part_errors"]
    for number, part in enumerate(about["parts"]):
        found = [row["parts"][task][number] if task in row["parts"] else None for row in rows]
        scores = [None if one is None or one[measure] is None else {"value": one[measure]} for one in found]
        cells = write_estimates(scores, not lower)
        if others:
            cells = [
                cell
                and one
                and cell._replace(interval=", ".join(f"{other} {write_number(one[other], 3)}" for other in others))
                for cell, one in zip(cells, found, strict=True)
            ]
        columns.append(Column(part["name"], lower, False, cells))
    return columns


def overview_columns(results: Mapping[str, Any]) -> list[Column]:
    """Return the columns that sum a row up over all tasks."""
    rows = results["rows"]

    def estimates(head: str, pick: Any, lower: bool = False, digits: int | None = None) -> Column:
        return Column(head, lower, False, write_estimates([pick(row) for row in rows], not lower, digits))

    def plain(head: str, key: str, digits: int, lower: bool = False) -> Column:
        return estimates(head, lambda row: None if row[key] is None else {"value": row[key]}, lower, digits)

    return [
        estimates("Δm %", lambda row: row["delta_m"], digits=2),
        plain("mean rank", "mean_rank", 2, lower=True),
        plain("wins", "wins", 0),
        estimates("run score, test", lambda row: row["run_score"]["test"]),
        estimates("run score, dev", lambda row: row["run_score"]["dev"]),
    ]


def cost_columns(results: Mapping[str, Any]) -> list[Column]:
    """Return the columns of time and memory; no cell is the best."""

    def column(head: str, write: Any) -> Column:
        return Column(head, True, False, [write(row) if row["seeds"] else None for row in results["rows"]])

    return [
        column(
            "seconds a step",
            lambda row: (
                row["seconds_per_step"] and Text(f"{row['seconds_per_step']:.3g}", _times(row["relative_step_time"]))
            ),
        ),
        column("peak memory, MB", lambda row: Text(f"{row['peak_memory_mb']:,.0f}", _times(row["relative_memory"]))),
        column(
            "total seconds",
            lambda row: Text(
                f"{row['seconds']:,.0f}", f"{row['seconds_choosing']:,.0f} to choose" if row["seconds_choosing"] else ""
            ),
        ),
    ]


def write_estimates(
    cells: Sequence[Mapping[str, Any] | None], higher_is_better: bool, digits: int | None = None
) -> list[Text | None]:
    """Write values with their intervals, the best of them marked."""
    values = [cell["value"] for cell in cells if cell is not None]
    if not values:
        return [None] * len(cells)
    if digits is None:
        digits = digits_for(max(map(abs, values)))
    best = max(values) if higher_is_better else min(values)

    def write(cell: Mapping[str, Any]) -> Text:
        low, high = cell.get("low"), cell.get("high")
        interval = "" if low is None or high is None else f"[{write_number(low, digits)}, {write_number(high, digits)}]"
        is_best = len(values) > 1 and min(values) < max(values) and cell["value"] == best
        half = "" if low is None or high is None else f"±{write_number((high - low) / 2, digits)}"
        return Text(write_number(cell["value"], digits), interval, is_best, half)

    return [None if cell is None else write(cell) for cell in cells]


def _ratio(estimate: Mapping[str, float] | None) -> Text | None:
    if estimate is None:
        return None
    value, low, high = (write_number(estimate[key], 3) for key in ("value", "low", "high"))
    return Text(value, f"[{low}, {high}]")


def _points(errors: Mapping[str, float]) -> Text:
    """Write a difference of losses, 1 less a score, as one of scores, in points."""
    value, low, high = (write_number(-100 * errors[key], 2) for key in ("value", "high", "low"))
    return Text(value, f"[{low}, {high}]")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} × equal"
