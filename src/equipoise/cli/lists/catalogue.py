"""What one list of `equipoise list` is."""

from abc import ABC, abstractmethod
from collections.abc import Collection

from equipoise.errors import UsageError, did_you_mean
from equipoise.terminal import ListTable


class Catalogue(ABC):
    """Things that have a name, in a table, each with a description."""

    noun: str
    """What one of them is called."""
    footer: str = ""
    """What stands under the table."""

    @abstractmethod
    def names(self) -> Collection[str]:
        """Return the names that `describe` knows."""

    @abstractmethod
    def table(self) -> ListTable:
        """Return the table of all."""

    @abstractmethod
    def _describe(self, name: str) -> str: ...

    def describe(self, name: str) -> str:
        """Return all that is known about one of them.

        Raises:
            UsageError: there is none of this name.
        """
        known = self.names()
        if name not in known:
            raise UsageError(f"there is no {self.noun} '{name}'. {did_you_mean(name, known)}")
        return self._describe(name)
