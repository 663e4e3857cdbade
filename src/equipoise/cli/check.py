"""`equipoise check`."""

from typing import TYPE_CHECKING

from .options import Device, RunFile, Set

if TYPE_CHECKING:
    from equipoise.data import Table
    from equipoise.terminal import ListTable


def check(run_file: RunFile, set_: Set = None, device: Device = None) -> None:
    """Check a run file, its data and its model without training, and show the prompts of a language model."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from rich.console import Console
    from rich.text import Text

    from equipoise.training import check as check_run

    found = check_run(config)
    console = Console(highlight=False)  # of the terminal's width, also for the rules below
    console.print(_rows_table(found.table).for_terminal())
    for note in found.notes:
        console.print(f"- {note}", markup=False, soft_wrap=True)
    for filled in found.prompts:
        answers = " | ".join(repr(answer) for answer in filled.answers) or "(a generated text)"
        console.rule(Text(f"{filled.task}: first training row"), align="left")
        console.print(Text(filled.prompt))
        console.rule(align="left")
        console.print(Text(f"answers: {answers}\nright: {filled.right!r}"))
    console.print("No mistakes found.")


def _rows_table(table: "Table") -> "ListTable":
    """Return how many labels of each task each split has."""
    from equipoise.terminal import Column, ListTable

    counts = table.counts()
    columns = [Column("task"), Column("kind"), Column("format")]
    columns += [Column(f"{split} rows", right=True) for split in table.splits]
    rows = []
    for name, task in table.tasks.items():
        labels = [f"{count['labels'][name]:,}" for count in counts.values()]
        rows.append((name, task.summary, task.format, *labels))
    return ListTable(columns, rows)
