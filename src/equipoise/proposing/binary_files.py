"""Parquet files and spreadsheets as they are found."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from equipoise.data import list_sheets, open_sheet, refuse_title
from equipoise.errors import DataError, list_some, shorten

from .facts import TableFacts, gather
from .file_facts import FileFacts

_BATCH = 4096
_PARQUET_ROWS = 1_000_000
"""Rows of a Parquet file that are read, at most."""


def read_parquet(path: Path) -> FileFacts:
    """Read a Parquet file.

    Raises:
        DataError: it is none.
    """
    import pyarrow
    import pyarrow.parquet

    found = FileFacts(str(path), path, TableFacts())
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names, total = file.schema_arrow.names, file.metadata.num_rows
            found.facts = gather(_arrow_rows(file.iter_batches(batch_size=_BATCH)), names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = shorten(" ".join(str(error).split()), 150)
        raise DataError(f"{path}: not a readable Parquet file ({reason}).") from None
    found.complete, found.facts.rows = total <= _PARQUET_ROWS, total
    return found


def _arrow_rows(batches: Any) -> Iterator[Mapping[str, Any]]:
    read = 0
    for batch in batches:
        yield from batch.to_pylist()
        read += batch.num_rows
        if read >= _PARQUET_ROWS:
            return


def read_xlsx(path: Path) -> FileFacts:
    """Read the sheet of a workbook that has the most rows.

    Raises:
        UsageError: openpyxl is not installed.
        DataError: it is no workbook, has no sheet with rows, or a title in the place of the columns' names.
    """
    sheets: dict[str, TableFacts] = {}
    titles: dict[str, int] = {}
    for name in list_sheets(path):
        with open_sheet(path, name) as sheet:
            sheets[name], titles[name] = gather((cells for _, cells in sheet.rows()), sheet.header), sheet.lower_header
    if not sheets:
        raise DataError(f"{path}: found no sheet with rows; leave the file out.")
    chosen, facts = max(sheets.items(), key=lambda item: item[1].rows)
    if titles[chosen]:
        raise refuse_title(path, list(facts.columns), titles[chosen], "row")
    if len(facts.columns) == 1:
        raise DataError(
            f"{path}: the first row of the sheet {chosen!a} has one cell only, "
            f"{shorten(next(iter(facts.columns)), 60)!a}, expected the columns' names. "
            "If it is a title, remove the rows before the names."
        )
    found = FileFacts(str(path), path, facts)
    if len(sheets) > 1:
        found.keys["sheet"] = chosen
        found.why["sheet"] = f"the one with the most rows of {len(sheets)}"
        others = [name for name in sheets if name != chosen]
        found.notes.append(
            f"{path}: the sheet '{chosen}' is read, which has the most rows ({facts.rows:,}); left out: "
            f"{list_some(others, 5)}. To read another, name it in the run file (sheet)."
        )
    return found
