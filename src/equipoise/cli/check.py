"""`equipoise check`."""

from .device import Device
from .train import RunFile, Set


def check(run_file: RunFile, set_: Set = None, device: Device = None) -> None:
    """Check a run file, its data and its model, and show what a language model is asked; nothing is trained."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # a mistake in it is told before the heavy imports

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from equipoise.training import check as check_run

    found = check_run(config)
    console = Console()
    table = Table("task", "kind", "format", *(f"{split} rows" for split in found.table.splits))
    counts = found.table.counts()
    for name, task in found.table.tasks.items():
        labels = [f"{count['labels'][name]:,}" for count in counts.values()]
        table.add_row(name, Text(task.summary), task.format, *labels)
    console.print(table)
    for note in found.notes:
        console.print(f"- {note}", markup=False, highlight=False)
    for filled in found.prompts:
        answers = " | ".join(repr(answer) for answer in filled.answers) or "(text is generated)"
        console.rule(Text(f"{filled.task}: first training row"), align="left")
        console.print(Text(filled.prompt))
        console.rule(align="left")
        console.print(Text(f"answers: {answers}\nright: {filled.right!r}"))
    console.print("Nothing wrong was found.")
