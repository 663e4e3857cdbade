"""Rows that stand in memory for a file that is not written yet."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from .rows import Rows

_readers: ContextVar[Mapping[Path, Callable[[], Rows]] | None] = ContextVar("readers", default=None)


@contextmanager
def reading_from_memory(readers: Mapping[Path, Callable[[], Rows]]) -> Iterator[None]:
    """Have `read_rows` read some files from memory for the time of a block, whether they are there or not.

    Args:
        readers: for each file what returns its rows.
    """
    token = _readers.set(readers)
    try:
        yield
    finally:
        _readers.reset(token)


def find_in_memory(path: Path) -> Rows | None:
    """Return the rows that stand in memory for a file; None where none do."""
    reader = (_readers.get() or {}).get(path)
    return None if reader is None else reader()
