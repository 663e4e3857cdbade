"""The user's own names, of sources and tasks: that they fit together, and can be told apart."""

import unicodedata
from collections.abc import Iterable

from equipoise.errors import UsageError, did_you_mean

from .schema import RunConfig

_TAKEN = ("text", "pair", "given", "error")


def check_names(config: RunConfig, where: str) -> None:
    """Refuse tasks without a source, names that predictions use otherwise, and names that are the same to a reader.

    Raises:
        UsageError: it names the key and the way out.
    """
    given = [("tasks", *item) for item in config.tasks.items()] + [
        ("held_out", *item) for item in config.held_out.items()
    ]
    for key, name, task in given:
        if name in _TAKEN:
            raise UsageError(
                f"{where}: {key}.{name}: a task cannot be called '{name}', which is what predictions call "
                "something else; give it another name."
            )
        if task.source not in config.sources:
            hint = did_you_mean(task.source, config.sources)
            raise UsageError(f"{where}: {key}.{name}.source: '{task.source}' is not a source. {hint}")
    if both := sorted(config.tasks.keys() & config.held_out.keys()):
        raise UsageError(f"{where}: held_out.{both[0]}: it is a task of this run, too; give it once.")
    _tell_apart("sources", config.sources, where)
    _tell_apart("tasks", [*config.tasks, *config.held_out], where)


def _tell_apart(key: str, names: Iterable[str], where: str) -> None:
    """Refuse names that differ in capitals or in how they are encoded alone: some disks hold one folder for both."""
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        # Joiners do not show.
        plain = "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")
        if plain in seen:
            raise UsageError(
                f"{where}: {key}: found the names {seen[plain]!a} and {name!a}, which differ in capitals or in how "
                "they are encoded alone; rename one."
            )
        seen[plain] = name
