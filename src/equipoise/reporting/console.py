"""The table of results for the terminal, and for a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from rich.table import Table
from rich.text import Text

from equipoise.config import load_config
from equipoise.errors import EquipoiseError
from equipoise.evaluation import Record
from equipoise.kinds import Task
from equipoise.notebook import table_to_html
from equipoise.terminal import make_results_table

from .tables import Cell, arrange, main_split


def results_table(records: Sequence[Record], tasks: Mapping[str, Task], split: str | None = None) -> Table:
    """Return the table of a run and its baselines: every metric of every task, on all rows.

    Args:
        records: records of any models, splits and subsets.
        tasks: the tasks by name.
        split: the split to show; "test" where it was scored, else the first there is.
    """
    split = split or main_split(records)
    arranged = arrange(records, tasks, split=split)
    table = make_results_table(
        f"Results on {split}, with 95 % intervals",
        "↓ lower is better; bold: the best value, and each task's primary metric",
    )
    table.add_column("task and metric", no_wrap=True)
    table.add_column("rows", justify="right")
    for model in arranged.models:
        table.add_column(Text(model), justify="right", min_width=13, overflow="fold")
    for name in tasks:
        rows = arranged.of(name)
        if rows:
            table.add_row(Text(name, style="underline"), f"{rows[0].n:,}")
        for i, row in enumerate(rows):
            arrow = "" if row.higher_is_better else " ↓"
            table.add_row(
                Text(f"  {row.metric}{arrow}", style="bold" if row.primary else ""),
                "",
                *(_text(cell) for cell in row.cells),
                end_section=i == len(rows) - 1,
            )
    return table


def show_run(folder: Path, records: Sequence[Record], run_score: float) -> str:
    """Return what a finished run shows of itself in a notebook: HTML.

    Args:
        folder: the run's folder.
        records: its metrics.
        run_score: the run score on test.
    """
    place = f"<code>{escape(str(folder))}</code>"
    try:
        tasks = load_config(folder / "config.yaml").open_tasks()
    except EquipoiseError:
        return f"<p>Run score on test: {run_score:.4f}. The folder {place} is gone, or not readable.</p>"
    table = table_to_html(results_table(records, tasks))
    return f"{table}<p>Run score on test: {run_score:.4f}. Report and model: {place}</p>"


def _text(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–", style="dim")
    text = Text(cell.value, style="bold" if cell.best else "")
    if cell.interval:
        # Without a space inside, a narrow terminal breaks the line before the interval only.
        text.append(" " + cell.interval.replace(" ", ""), style="not bold dim")
    return text
