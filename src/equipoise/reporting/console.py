"""The table of results for the terminal."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from equipoise.evaluation import Record
from equipoise.tasks import Task

from .tables import Cell, arrange


def results_table(records: Sequence[Record], tasks: Mapping[str, Task], split: str = "test") -> Table:
    """Return the run against its baselines, every metric of every task on all rows.

    Args:
        records: records of any models, splits and subsets.
        tasks: the tasks by name.
        split: the split to show.
    """
    arranged = arrange(records, tasks, split=split)
    table = Table(title=f"{split}, with 95 % intervals", title_justify="left", title_style="bold")
    table.add_column("task")
    table.add_column("metric")
    table.add_column("rows", justify="right")
    for model in arranged.models:
        table.add_column(Text(model), justify="right")
    for name in tasks:
        rows = arranged.of(name)
        for i, row in enumerate(rows):
            arrow = "" if row.higher_is_better else " ↓"
            table.add_row(
                Text(name if i == 0 else ""),
                Text(row.metric + arrow, style="bold" if row.primary else ""),
                f"{row.n:,}" if i == 0 else "",
                *(_text(cell) for cell in row.cells),
                end_section=i == len(rows) - 1,
            )
    table.caption = "↓ lower is better · bold metric: the task's primary one"
    table.caption_justify = "left"
    return table


def _text(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–", style="dim")
    text = Text(cell.value, style="bold" if cell.best else "")
    if cell.interval:
        text.append(f" {cell.interval}", style="not bold dim")
    return text
