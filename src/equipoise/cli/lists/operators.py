"""`equipoise list operators`."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue

if TYPE_CHECKING:
    from equipoise.merging import MergeOperator


class Operators(Catalogue):
    """The merge operators, from their classes."""

    noun = "operator"
    footer = "`equipoise list operators NAME` describes one."

    def names(self) -> Collection[str]:
        """Return their names in the run file and on the command line."""
        from equipoise.merging import MERGE_OPERATORS

        return MERGE_OPERATORS

    def table(self) -> ListTable:
        """Return name, summary, what it needs, options with their defaults, and paper of each."""
        from equipoise.merging import MERGE_OPERATORS

        columns = (
            Column("name", code=True, wraps=False),
            Column("what it does"),
            Column("needs", empty="–"),
            Column("options", code=True, empty="–"),
            Column("paper"),
        )
        rows = [(one.name, one.summary, one.needs(), _options(one), one.paper) for one in MERGE_OPERATORS.values()]
        return ListTable(columns, rows)

    def _describe(self, name: str) -> str:
        from inspect import getdoc

        from equipoise.merging import MERGE_OPERATORS

        return getdoc(MERGE_OPERATORS[name]) or ""


def _options(operator: "type[MergeOperator]") -> tuple[str, ...]:
    from inspect import signature
    from json import dumps

    if operator.__init__ is object.__init__:
        return ()
    return tuple(f"{key}: {dumps(parameter.default)}" for key, parameter in signature(operator).parameters.items())


CATALOGUE = Operators()
