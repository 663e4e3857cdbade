"""`equipoise list kinds`."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue

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
        return _description(_kinds()[name])


def _kinds() -> "dict[str, type[Task]]":
    from equipoise.kinds import list_kinds

    return {name: kind.task for name, kind in list_kinds().items()}


def _description(task: "type[Task]") -> str:
    from inspect import getdoc

    return getdoc(task) or ""


CATALOGUE = Kinds()
