"""`equipoise list kinds`."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue
from .keys import describe_keys

if TYPE_CHECKING:
    from equipoise.kinds import Task


class Kinds(Catalogue):
    """The kinds of task, from their classes."""

    noun = "kind of task"
    footer = "metric: what this key of a task can be, the default first. `equipoise list kinds NAME` describes one."

    def names(self) -> Collection[str]:
        """Return their names in the run file."""
        return _kinds()

    def table(self) -> ListTable:
        """Return name, what it predicts, the metrics shown of each, and those that `metric` can name."""
        columns = (
            Column("name", code=True, wraps=False),
            Column("what it predicts"),
            Column("metrics shown", code=True),
            Column("metric", code=True),
        )
        rows = [
            (name, _description(task).partition("\n")[0], task.metrics, _choices(task))
            for name, task in _kinds().items()
        ]
        return ListTable(columns, rows)

    def _describe(self, name: str) -> str:
        from equipoise.config import list_own_keys

        task = _kinds()[name]
        about = _description(task).partition("\nArgs:")[0].strip()
        metrics = (
            f"Metrics: {', '.join((*task.metrics, *task.text_metrics))}.\n"
            f"The primary one (`metric`), the default first: {', '.join(_choices(task))}."
        )
        keys = describe_keys(list_own_keys(name))
        own = f"Keys of its own, beside those of every task (`equipoise list keys tasks`):\n{keys}"
        return "\n\n".join([about, metrics, own if keys else "It has no keys of its own."])


def _kinds() -> "dict[str, type[Task]]":
    from equipoise.kinds import list_kinds

    return {name: kind.task for name, kind in list_kinds().items()}


def _choices(task: "type[Task]") -> tuple[str, ...]:
    """Return what the key `metric` can be."""
    from equipoise.kinds import CLASS_METRICS

    return (*task.primary_metrics, *(f"{{{name}: {CLASS_METRICS[name].form}}}" for name in task.class_metrics))


def _description(task: "type[Task]") -> str:
    from inspect import getdoc

    return getdoc(task) or ""


CATALOGUE = Kinds()
