"""The page of a comparison, and its table for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.table
import yaml
from rich.text import Text as RichText

from equipoise.progress import format_seconds
from equipoise.terminal import make_results_table

from .compare_results import ComparisonResults
from .compare_tables import (
    Column,
    Text,
    against_columns,
    cost_columns,
    metric_columns,
    overview_columns,
    part_columns,
)
from .pages import write_page


def write_comparison(folder: str | Path, results: ComparisonResults | Mapping[str, Any]) -> Path:
    """Write `compare.html` into a comparison's folder: one page that needs neither network nor scripts.

    Args:
        folder: the folder.
        results: the table, or what `compare.json` holds.

    Returns:
        The path of the page.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .compare_figures import plot_losses, plot_metrics, plot_trajectories

    results = _typed(results)
    tasks, rows = results.tasks, results.rows
    names = [row.name for row in rows]
    return write_page(
        folder,
        "compare",
        results=results,
        rows=rows,
        overview=overview_columns(rows),
        costs=cost_columns(rows),
        metrics={name: metric_columns(name, task, rows) for name, task in tasks.items()},
        against={name: against_columns(name, task.item_metric, results.tests, names) for name, task in tasks.items()},
        parts={name: part_columns(name, task, rows) for name, task in tasks.items()},
        metric_figure=plot_metrics(
            {name: task.metric for name, task in tasks.items()},
            {row.name: row.primary(tasks) for row in rows if row.seeds},
        ),
        loss_figure=plot_losses(list(tasks), rows),
        weight_figure=plot_trajectories(rows),
        key_figures=_key_figures(results),
        chosen=_chosen(results),
        run_files={
            name: yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
            for name, data in results.run_files.items()
        },
    )


def comparison_table(results: ComparisonResults | Mapping[str, Any]) -> rich.table.Table:
    """Return the rows with what sums them up and each task's primary metric, for the terminal.

    Args:
        results: the table, or what `compare.json` holds.
    """
    results = _typed(results)
    rows = results.rows
    seeds = f"{results.seeds} seed{'s' if results.seeds > 1 else ''}"
    half = "; under it half the 95 % interval" if results.seeds > 1 else ""
    table = make_results_table(
        f"Results on test: means over {seeds}{half}",
        "Δm: mean relative gain over single-task; * differs from single-task (p < 0.05 after Holm); bold: best",
    )
    table.add_column("row", overflow="fold", min_width=min(30, max(len(row.name) for row in rows)))
    columns: list[tuple[str, Column]] = [("", column) for column in overview_columns(rows)[:4]]
    for name, task in results.tasks.items():
        columns += [(name, column) for column in metric_columns(name, task, rows) if column.primary]
    for task_name, column in columns:
        head = f"{task_name}\n{column.head}" if task_name else column.head
        table.add_column(RichText(head), justify="right", overflow="fold")
    differs = {(test.row, test.task) for test in results.tests.get("single-task", ()) if test.p_holm < 0.05}
    for number, row in enumerate(rows):
        cells = [
            _rich(column.cells[number], " *" if (row.name, task_name) in differs else "")
            for task_name, column in columns
        ]
        table.add_row(RichText(row.name), *cells)
    return table


def _typed(results: ComparisonResults | Mapping[str, Any]) -> ComparisonResults:
    return results if isinstance(results, ComparisonResults) else ComparisonResults.from_json(results)


def _rich(cell: Text | None, mark: str) -> RichText:
    if cell is None:
        return RichText("–", style="dim")
    text = RichText(cell.value + mark, style="bold" if cell.best else "")
    if cell.half:
        text.append("\n" + cell.half, style="not bold dim")
    return text


def _key_figures(results: ComparisonResults) -> dict[str, str]:
    figures = {"rows": str(len(results.rows)), "seeds": str(results.seeds)}
    figures["training time"] = format_seconds(sum(row.seconds for row in results.rows))
    if results.failed:
        figures["failed trainings"] = str(len(results.failed))
    return figures


def _chosen(results: ComparisonResults) -> dict[str, str]:
    """What was chosen on dev, in words."""
    chosen = {}
    for row in results.rows:
        if row.weights:
            weights = ", ".join(f"{task} {weight:g}" for task, weight in row.weights.items())
            chosen["Static weights"] = (
                f"{weights}: the best on dev of {results.trials}, each at a quarter of the budget"
            )
        if row.epochs:
            epochs = ", ".join(f"{task} {'–' if n is None else format(n, 'g')}" for task, n in row.epochs.items())
            chosen["Epochs of single tasks"] = epochs
    return chosen
