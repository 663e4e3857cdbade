"""`equipoise list codes`."""

from collections.abc import Collection

from equipoise.auditing import CODES
from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue


class Codes(Catalogue):
    """The codes of what `equipoise check` finds."""

    noun = "code"
    footer = "`equipoise check RUN.yaml` looks for all of them."

    def names(self) -> Collection[str]:
        """Return the codes."""
        return CODES

    def table(self) -> ListTable:
        """Return code, title, level, meaning and advice of each."""
        columns = (
            Column("code", code=True, wraps=False),
            Column("finding"),
            Column("level"),
            Column("when it is reported"),
            Column("what to do"),
        )
        return ListTable(
            columns, [(name, code.title, code.level, code.meaning, code.advice) for name, code in CODES.items()]
        )

    def _describe(self, name: str) -> str:
        code = CODES[name]
        return f"{code.title} ({code.level})\n{code.meaning}\nWhat to do: {code.advice}"


CATALOGUE = Codes()
