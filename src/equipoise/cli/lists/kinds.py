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
    footer = "`equipoise list kinds NAME` describes one."

    def names(self) -> Collection[str]:
        """Return their names in the run file."""
        return _kinds()

    def table(self) -> ListTable:
        """Return name, what it predicts, and the metrics of each, the primary one first."""
        columns = (
            Column("name", code=True, wraps=False),
            Column("what it predicts"),
            Column("metrics", code=True),
        )
        rows = [(name, _description(task).partition("\n")[0], task.metrics) for name, task in _kinds().items()]
        return ListTable(columns, rows)

    def _describe(self, name: str) -> str:
        from equipoise.config import list_own_keys

        task = _kinds()[name]
        about = _description(task).partition("\nArgs:")[0].strip()
        metrics = f"Metrics, the primary one first: {', '.join(task.metrics)}."
        keys = describe_keys(list_own_keys(name))
        own = f"Keys of its own, beside those of every task (`equipoise list keys tasks`):\n{keys}"
        return "\n\n".join([about, metrics, own if keys else "It has no keys of its own."])


def _kinds() -> "dict[str, type[Task]]":
    from equipoise.kinds import list_kinds

    return {name: kind.task for name, kind in list_kinds().items()}


def _description(task: "type[Task]") -> str:
    from inspect import getdoc

    return getdoc(task) or ""


CATALOGUE = Kinds()
