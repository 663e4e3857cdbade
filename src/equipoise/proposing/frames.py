"""Tables in memory: DataFrames of pandas and Polars, Arrow tables, data sets, lists of dicts."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.data import are_tables, gather_tables, read_columns

from .facts import gather
from .file_facts import FileFacts

_NOT_IN_NAMES = re.compile(r"[^\w.-]")


def holds_tables(data: Any) -> bool:
    """Whether something is a table in memory, or several, and no path and no list of paths."""
    if isinstance(data, list | tuple) and all(isinstance(item, str | os.PathLike) for item in data):
        return False
    return are_tables(data)


def read_tables(data: Any, base: Path) -> list[FileFacts]:
    """Return what is known of tables in memory.

    Args:
        data: a table, or a dict of tables by source or by split, or of such dicts by source.
        base: the folder in which they are to be saved as Parquet.

    Raises:
        UsageError: something in it is no table.
        DataError: a table has no rows, or its columns cannot be told apart.
    """
    found = []
    for source, splits in gather_tables(data).items():
        for key, table in splits.items():
            name = source if key == "path" else f"{source}_{key}"
            columns = read_columns(table, f"table '{name}'")
            path = base / (_NOT_IN_NAMES.sub("_", name) + ".parquet")
            found.append(FileFacts(name, path, gather(_rows_of(columns), list(columns)), is_given=True))
    return found


def _rows_of(columns: Mapping[str, Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
    for cells in zip(*columns.values(), strict=True):
        yield {name: _plain(cell) for name, cell in zip(columns, cells, strict=True)}


def _plain(cell: Any) -> Any:
    """Return a cell as files have it: arrays, which pandas reads from Parquet files, as lists."""
    return cell.tolist() if hasattr(cell, "tolist") else cell
