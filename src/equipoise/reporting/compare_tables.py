"""A comparison's numbers, written out for the page and the terminal alike."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from equipoise.kinds import get_metric

from .compare_results import ComparedRow, ComparedTask, Estimate, PairedTest
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


def metric_columns(task: str, about: ComparedTask, rows: Sequence[ComparedRow]) -> list[Column]:
    """Return a column for each metric of a task on test."""
    columns = []
    for name in about.metrics:
        metric = get_metric(name)
        cells = [row.metrics["test"].get(task, {}).get(name) for row in rows]
        if not any(cells):
            continue  # a metric that is younger than the trainings
        better = metric.higher_is_better
        columns.append(Column(metric.label, not better, name == about.metric, write_estimates(cells, better)))
    return columns


def against_columns(
    task: str, item_metric: str, tests: Mapping[str, Sequence[PairedTest]], rows: Sequence[str]
) -> list[Column]:
    """Return, for each reference row, a column of the items' metric against it and one of corrected p-values.

    An error, such as the MSE, stands there as a ratio, a score, such as the accuracy, as a difference in points.

    Args:
        task: the task's name.
        item_metric: its metric of single items.
        tests: the tests by reference row.
        rows: the rows' names.
    """
    metric = get_metric(item_metric)
    columns = []
    for reference, its_tests in tests.items():
        by_row = {test.row: test for test in its_tests if test.task == task}
        of_rows = [by_row.get(row) for row in rows]
        against = [None if test is None else _against(test, metric.higher_is_better) for test in of_rows]
        p_values = [None if test is None else _write_p(test) for test in of_rows]
        head = f"{metric.label} − {reference}, points" if metric.higher_is_better else f"{metric.label} ÷ {reference}"
        columns += [
            Column(head, not metric.higher_is_better, False, against),
            Column(f"p, {reference}", False, False, p_values),
        ]
    return columns


def part_columns(task: str, about: ComparedTask, rows: Sequence[ComparedRow]) -> list[Column]:
    """Return a column for each part, such as a class (F1, with recall under it) or a region of a score (MSE)."""
    columns = []
    for number, part in enumerate(about.parts):
        main, *others = about.part_metrics
        scores = [row.parts[task][number] if task in row.parts else {} for row in rows]
        cells = write_estimates([_estimate(of_row.get(main)) for of_row in scores], not about.part_errors)
        if others:
            cells = [
                cell and cell._replace(interval=_write_others(of_row, others))
                for cell, of_row in zip(cells, scores, strict=True)
            ]
        columns.append(Column(part["name"], about.part_errors, False, cells))
    return columns


def overview_columns(rows: Sequence[ComparedRow]) -> list[Column]:
    """Return the columns that sum a row up over all tasks."""

    def column(
        head: str, values: Sequence[Estimate | None], *, lower_is_better: bool = False, digits: int | None = None
    ) -> Column:
        return Column(head, lower_is_better, False, write_estimates(values, not lower_is_better, digits))

    return [
        column("Δm %", [row.delta_m for row in rows], digits=2),
        column("mean rank", [_estimate(row.mean_rank) for row in rows], lower_is_better=True, digits=2),
        column("wins", [_estimate(row.wins) for row in rows], digits=0),
        column("run score, test", [row.run_score["test"] for row in rows]),
        column("run score, dev", [row.run_score["dev"] for row in rows]),
    ]


def cost_columns(rows: Sequence[ComparedRow]) -> list[Column]:
    """Return the columns of time and memory; no cell is the best."""
    cells = {
        "seconds a step": [_cost(row.seconds_per_step, ".3g", row.relative_step_time) for row in rows],
        "peak memory, MB": [_cost(row.peak_memory_mb, ",.0f", row.relative_memory) for row in rows],
        "total seconds": [_total(row) if row.seeds else None for row in rows],
    }
    return [Column(head, True, False, column) for head, column in cells.items()]


def write_estimates(
    estimates: Sequence[Estimate | None], higher_is_better: bool, digits: int | None = None
) -> list[Text | None]:
    """Write values with their intervals, the best of them marked."""
    values = [estimate.value for estimate in estimates if estimate is not None]
    if not values:
        return [None] * len(estimates)
    if digits is None:
        digits = digits_for(max(map(abs, values)))
    best = max(values) if higher_is_better else min(values)

    several = min(values) < max(values)
    return [
        None if estimate is None else _write(estimate, digits, several and estimate.value == best)
        for estimate in estimates
    ]


def _write(estimate: Estimate, digits: int, best: bool = False) -> Text:
    value, low, high = write_number(estimate.value, digits), estimate.low, estimate.high
    if low is None or high is None:
        return Text(value, best=best)
    interval = f"[{write_number(low, digits)}, {write_number(high, digits)}]"
    return Text(value, interval, best, f"±{write_number((high - low) / 2, digits)}")


def _estimate(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value)


def _against(test: PairedTest, higher_is_better: bool) -> Text | None:
    if not higher_is_better:
        return None if test.ratio is None else _write(test.ratio, 3)
    # The losses are 1 less a score: their difference is turned into one of scores, in points.
    value, low, high = test.difference.value, test.difference.high, test.difference.low
    return _write(Estimate(-100 * value, low and -100 * low, high and -100 * high), 2)


def _write_others(scores: Mapping[str, float | None], metrics: Sequence[str]) -> str:
    values = {metric: scores[metric] for metric in metrics}
    return ", ".join(f"{metric} {write_number(value, 3)}" for metric, value in values.items() if value is not None)


def _write_p(test: PairedTest) -> Text:
    return Text(_p(test.p_holm), f"uncorrected {_p(test.p)}", test.p_holm < 0.05)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _cost(value: float | None, form: str, ratio: float | None) -> Text | None:
    return None if value is None else Text(format(value, form), "" if ratio is None else f"{ratio:.2f} × equal")


def _total(row: ComparedRow) -> Text:
    return Text(f"{row.seconds:,.0f}", f"{row.seconds_choosing:,.0f} to choose" if row.seconds_choosing else "")
