"""A file, or a table in memory, and what is known of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .facts import TableFacts


@dataclass
class FileFacts:
    """A file, or a table in memory, and what is known of it.

    Attributes:
        name: what messages call it.
        path: where it lies; for a table in memory where it is to be saved.
        facts: what is known of its rows.
        keys: the keys of a source that say how it is read, such as `encoding`.
        why: by key what was found, in a few words.
        notes: what of it is not read: plain sentences.
        complete: whether all rows were read.
        is_given: whether it is a table in memory.
    """

    name: str
    path: Path
    facts: TableFacts
    keys: dict[str, Any] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    complete: bool = True
    is_given: bool = False

    @property
    def encoding(self) -> str:
        """Its encoding, for people; "" where it has none, as Parquet files."""
        if self.is_given or self.path.suffix.lower() in (".parquet", ".xlsx"):
            return ""
        return str(self.keys.get("encoding", "utf-8"))
