"""What a model shows of itself in a notebook."""

from collections.abc import Mapping

from equipoise.kinds import Task
from equipoise.notebook import table_to_html
from equipoise.terminal import Column, ListTable


def show_tasks(tasks: Mapping[str, Task]) -> str:
    """Return a model's tasks as a table of HTML.

    Args:
        tasks: the tasks by name.
    """
    columns = [Column("task"), Column("predicts"), Column("classes"), Column("reads")]
    rows = [
        [
            f"{name}{' (auxiliary)' if task.auxiliary else ''}",
            task.summary,
            ", ".join(task.class_names),
            " and ".join(column for column in (task.text, task.pair) if column is not None),
        ]
        for name, task in tasks.items()
    ]
    return table_to_html(ListTable(columns, rows).for_terminal())
