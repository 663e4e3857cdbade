"""`equipoise list keys`."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from equipoise.terminal import Column, ListTable

from .catalogue import Catalogue

if TYPE_CHECKING:
    from equipoise.config import Key


class Keys(Catalogue):
    """The keys of a run file, from its schema."""

    noun = "key"
    footer = "NAME stands for a name of yours. `equipoise list keys train` lists the keys of that section."

    def names(self) -> Collection[str]:
        """Return the paths of all keys."""
        from equipoise.config import list_keys

        return [key.path for key in list_keys()]

    def table(self) -> ListTable:
        """Return path, default and description of every key."""
        from equipoise.config import list_keys

        columns = (Column("key", code=True), Column("default", code=True), Column("what it is"))
        return ListTable(columns, [(key.path, key.default, key.description) for key in list_keys()])

    def _describe(self, name: str) -> str:
        from equipoise.config import list_keys

        return describe_keys(key for key in list_keys() if key.path == name or key.path.startswith(f"{name}."))


def describe_keys(keys: "Iterable[Key]") -> str:
    """Return keys with their defaults, each above its description."""
    lines = []
    for key in keys:
        default = " (required)" if key.default == "required" else f" (default: {key.default})" if key.default else ""
        lines.append(f"{key.path}{default}\n    {key.description}")
    return "\n".join(lines)


CATALOGUE = Keys()
