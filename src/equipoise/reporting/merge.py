"""The page of a merge, and its table for the terminal."""

from pathlib import Path

import rich.table
from rich.text import Text as RichText

from equipoise.progress import format_seconds
from equipoise.terminal import make_results_table

from .compare_tables import Text
from .merge_results import MergeResults
from .merge_tables import (
    BETTER,
    WORSE,
    coefficients,
    find_marks,
    key_figures,
    percent,
    search_rows,
    task_columns,
    time_rows,
    write_rows,
)
from .pages import write_page

_NAME, _VALUE = 10, 6
"""The least widths of columns: eight tasks fit a terminal of 80 columns."""


def write_merge(folder: str | Path, results: MergeResults) -> Path:
    """Write `merge.html` into the folder of a merge: one page that needs neither network nor scripts.

    Args:
        folder: the folder.
        results: the table as data.

    Returns:
        The path of the page.
    """
    # matplotlib is imported when a page is written, not with every table.
    from .merge_figures import plot_coefficients, plot_experts_and_evolved, plot_finalists, plot_fitness, plot_front

    searches = results["searches"]
    found = list(enumerate(searches.items()))
    return write_page(
        folder,
        "merge",
        results=results,
        best=results["best_row"],
        labels=task_columns(results),
        tables={split: write_rows(results, split) for split in ("test", "dev")},
        marks=(BETTER, WORSE) if find_marks(results) else (),
        key_figures=key_figures(results),
        fitness_figure=plot_fitness(searches),
        finalists_figure=plot_finalists(results),
        coefficient_figures={name: plot_coefficients(place, name, search) for place, (name, search) in found},
        blocks=max(len(lines) for search in searches.values() for lines in coefficients(search).values()),
        heat_map=plot_experts_and_evolved(results),
        front_figures={name: plot_front(place, name, search) for place, (name, search) in found}
        if results["objectives"] == "tasks"
        else {},
        searches=search_rows(results),
        percent=percent,
        times=time_rows(results),
        time=format_seconds(sum(one["seconds"] for one in results["times"])),
    )


def merge_table(results: MergeResults) -> rich.table.Table:
    """Return each row's primary metric on test, its run score and what it keeps, for the terminal."""
    marks = f"; {BETTER} {WORSE} better, worse than {results['best_row']} (p < 0.05 after Holm)"
    table = make_results_table(
        "Rows × tasks on test, with half the 95 % interval",
        "bold: best; run score: mean of max(0, metric); kept: % of the experts’ own metrics, mean"
        + (marks if find_marks(results) else ""),
    )
    table.add_column("row", overflow="fold", min_width=_NAME)
    for name, label in task_columns(results).items():
        table.add_column(RichText(f"{name}\n{label}"), justify="right", overflow="fold", min_width=_VALUE)
    table.add_column("run\nscore", justify="right", no_wrap=True)
    table.add_column("kept\n%", justify="right", no_wrap=True)
    for row in write_rows(results, "test"):
        table.add_row(RichText(row.name), *map(_text, row.cells), _text(row.run_score), row.kept.removesuffix(" %"))
    return table


def _text(cell: Text | None) -> RichText:
    if cell is None:
        return RichText("–", style="dim")
    text = RichText(cell.value, style="bold" if cell.best else "")
    if cell.half:
        # A narrow terminal breaks the line here.
        text.append(f" {cell.half}", style="not bold dim")
    return text
