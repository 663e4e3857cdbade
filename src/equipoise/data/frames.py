"""Tables of other libraries as columns of cells."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow

from equipoise.errors import DataError, UsageError, shorten

from .reading import from_arrow
from .rows import Rows

EXPECTED_TABLES = (
    "a DataFrame of pandas or Polars, a pyarrow table, a data set of `datasets`, a list of dicts, or a dict of these "
    "by source or by split"
)
ROW_UNIT = "0-based row"
"""What the number of a row counts, as in `df.iloc[3]` and `rows[3]`."""
_Reader: TypeAlias = Callable[[Any, str], dict[str, list[Any]]]


def are_tables(data: Any) -> bool:
    """Whether something is a table in memory, or a dict of them, and no path and no run file."""
    return isinstance(data, Mapping) or _find_reader(data) is not None


def check_table(where: str, table: Any) -> None:
    """Make sure that something is a table.

    Args:
        where: what messages call it.
        table: a DataFrame of pandas or Polars, a pyarrow table, a `datasets.Dataset` or a list of dicts.

    Raises:
        UsageError: it is none.
    """
    if isinstance(table, list | tuple) and table and not isinstance(table[0], Mapping):
        raise UsageError(
            f"{where}: found a list that begins with {shorten(repr(table[0]), 60)}, expected dicts of cells by column; "
            "give columns as a DataFrame (pandas.DataFrame(…))."
        )
    if _find_reader(table) is None:
        hint = "collect it first (.collect())" if hasattr(table, "collect") else "convert it"
        if isinstance(table, str | bytes | Path):
            hint = "read the file first, or write a run file"
        raise UsageError(f"{where}: found {type(table).__name__}, expected {EXPECTED_TABLES}; {hint}.")


def read_columns(table: Any, where: str) -> dict[str, list[Any]]:
    """Return the columns of a table as lists of cells; None stands for every cell without a value (NaN, NaT, NA).

    Args:
        table: see `check_table`.
        where: what messages call it.

    Raises:
        UsageError: it is no table.
        DataError: a row is no dict, or two columns have one name, or one that is no text; the table has no rows.
    """
    check_table(where, table)
    reader = _find_reader(table)
    assert reader is not None  # checked
    columns = reader(table, where)
    if not columns or not len(next(iter(columns.values()))):
        raise DataError(f"{where}: found no rows, expected one or more.")
    return {name: [None if is_missing(cell) else cell for cell in cells] for name, cells in columns.items()}


def _find_reader(table: Any) -> _Reader | None:
    """What turns a table into columns of cells; None where it is no table."""
    # Whoever gives a data set has imported the library, which an exported model is read without.
    if (datasets := sys.modules.get("datasets")) is not None and isinstance(table, datasets.Dataset):
        return _columns_of_data_set
    if isinstance(table, list | tuple):
        return _columns_of_dicts
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _columns_of_pandas
    is_table = hasattr(table, "__arrow_c_stream__") and hasattr(table, "columns") and not hasattr(table, "collect")
    return _columns_of_arrow if is_table else None


def _columns_of_data_set(table: Any, where: str) -> dict[str, list[Any]]:
    from .sources import dataset_rows

    return _as_lists(dataset_rows(table, where))


def _columns_of_dicts(rows: Sequence[Any], where: str) -> dict[str, list[Any]]:
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
            found = shorten(repr(row), 60)
            raise DataError(f"{where}, {ROW_UNIT} {number}: found {found}, expected a dict of cells by column.")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _columns_of_pandas(table: Any, where: str) -> dict[str, list[Any]]:
    names = list(table.columns)
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            what = "twice" if isinstance(name, str) else f"({type(name).__name__})"
            raise DataError(
                f"{where}: found a column {shorten(repr(name), 60)} {what}, expected different names that are texts; "
                "rename it (df.rename(columns=…))."
            )
    return {name: table.iloc[:, place].tolist() for place, name in enumerate(names)}


def _columns_of_arrow(table: Any, where: str) -> dict[str, list[Any]]:
    try:
        return _as_lists(from_arrow(pyarrow.table(table), where))
    except (pyarrow.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{where}: cannot be read as an Arrow table ({_reason(error)}); convert it.") from None


def _as_lists(rows: Rows) -> dict[str, list[Any]]:
    return {name: cells if isinstance(cells, list) else list(cells) for name, cells in rows.columns.items()}


def is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA."""
    if cell is None or isinstance(cell, str | bytes | bool | np.bool_ | Mapping | list | tuple | set | np.ndarray):
        return cell is None
    differs = cell != cell
    # pandas' NA answers with itself.
    return differs is cell or bool(differs)


def _reason(error: Exception) -> str:
    return shorten(" ".join(str(error).split()), 160)
