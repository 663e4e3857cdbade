"""Tables in memory: DataFrames of pandas and Polars, Arrow tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from equipoise.errors import DataError, UsageError, shorten

from .facts import gather
from .file_facts import FileFacts


def read_frame(name: str, table: Any, base: Path) -> FileFacts:
    """Return what is known of a table in memory.

    Args:
        name: what its source is called.
        table: a DataFrame, or an Arrow table.
        base: the folder in which it is to be saved as Parquet.

    Raises:
        UsageError: it is no table.
        DataError: it has no rows, or columns of one name.
    """
    columns = _columns_of(name, table)
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"table '{name}': found no rows, expected one or more.")
    facts = gather(_rows_of(columns), list(columns))
    return FileFacts(name, base / f"{name}.parquet", facts, is_given=True)


def _columns_of(name: str, table: Any) -> dict[str, Any]:
    if hasattr(table, "iloc") and hasattr(table, "columns"):  # pandas, without importing it
        names = [str(column) for column in table.columns]
        if len(set(names)) < len(names):
            raise DataError(f"table '{name}': found columns of one name, expected different names; rename them.")
        return {column: table.iloc[:, place].tolist() for place, column in enumerate(names)}
    import pyarrow

    try:
        arrow = table.to_arrow() if hasattr(table, "to_arrow") else pyarrow.table(table)
        return {column: arrow.column(column).to_pylist() for column in arrow.column_names}
    except (pyarrow.ArrowException, TypeError, ValueError, AttributeError, KeyError) as error:
        reason = shorten(" ".join(str(error).split()), 120)
        raise UsageError(
            f"table '{name}': found {type(table).__name__}, expected a DataFrame of pandas or Polars, or an Arrow "
            f"table ({reason})."
        ) from None


def _rows_of(columns: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for cells in zip(*columns.values(), strict=True):
        yield {name: _plain(cell) for name, cell in zip(columns, cells, strict=True)}


def _plain(cell: Any) -> Any:
    """Return a cell as files have it: arrays as lists, and None for what stands for nothing (NaN, NaT, NA)."""
    if hasattr(cell, "tolist"):  # numpy's arrays and numbers
        cell = cell.tolist()
    if isinstance(cell, list | tuple):
        return [_plain(item) for item in cell]
    if cell is None or isinstance(cell, str | dict):
        return cell
    try:
        return None if cell != cell else cell
    except TypeError:  # pandas' NA is neither equal to itself nor different
        return None
