"""Which columns the tasks read texts from."""

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.errors import UsageError, shorten
from equipoise.kinds import Task


@dataclass(frozen=True)
class Reader:
    """What a task reads.

    Args:
        task: the task.
        text: its column of texts; `a.b` is the key b in column a.
        pair: its column of second texts.
        clean: whether the tags and entities of HTML are taken out of both.
    """

    task: str
    text: str
    pair: str | None
    clean: bool = False


def read_texts_from(tasks: Mapping[str, Task], column: str | None) -> dict[str, Task]:
    """Return tasks that read their texts from another column; None is each task's own."""
    return {name: task if column is None else task.replace(text=column) for name, task in tasks.items()}


def check_clean(clean: str | None, explain: bool | int) -> None:
    """Refuse ways of cleaning texts that there are not, and to explain texts that are not answered as they are.

    Raises:
        UsageError: it is one.
    """
    if clean not in (None, "html"):
        raise UsageError(f"clean: found {shorten(repr(clean), 60)}, expected html.")
    if clean is not None and explain:
        raise UsageError(
            "clean: found html together with explain, which says where words stand in the text as it is given; leave "
            "one out."
        )


def find_readers(tasks: Mapping[str, Task], clean: str | None = None) -> dict[tuple[str, str | None], Reader]:
    """Return the first reader of each pair of columns: tasks that read the same columns share the encoded sequence."""
    readers: dict[tuple[str, str | None], Reader] = {}
    for name, task in tasks.items():
        readers.setdefault((task.text, task.pair), Reader(name, task.text, task.pair, clean is not None))
    return readers
