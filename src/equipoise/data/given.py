"""Tables in memory as the sources of a run.

Their rows are written as Parquet into the run's folder, so that the run can be repeated from its `config.yaml`. Until
then they are read from memory, from the same bytes: what is wrong with them is found before anything is written, and
both ways give the same rows.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import datasets
import pyarrow
import pyarrow.parquet

from equipoise.errors import DataError, UsageError, list_some, shorten
from equipoise.files import write_bytes
from equipoise.keys import text_key
from equipoise.temporaries import clean_leftovers_in, is_leftover_name

from .frames import EXPECTED_TABLES, ROW_UNIT, check_table, read_columns
from .reading import from_arrow
from .rows import Rows
from .sources import SPLIT_NAMES
from .stand_ins import reading_from_memory

if TYPE_CHECKING:
    from equipoise.config import RunConfig

GIVEN_FOLDER = "data"
"""The folder of a run in which the rows lie that it was given in memory."""
_MARK = b"equipoise"
_SOURCE = "data"
"""What the source of one table is called."""

Tables: TypeAlias = dict[str, dict[str, Any]]
"""Tables by source, then by the source's key: "path" (to be split), or "train", "dev" and "test"."""


def gather_tables(data: Any) -> Tables:
    """Return tables by source and split, whichever way they are given; the source of a single table is called "data".

    Args:
        data: a table, or a dict of tables by source or by split, or of such dicts by source.

    Raises:
        UsageError: something in it is no table, or there are splits without "train".
    """
    if not isinstance(data, Mapping) or any(_split_of(name) for name in data):
        return {_SOURCE: _gather_splits(_SOURCE, data)}
    if not data:
        raise UsageError(f"tables: found an empty dict, expected {EXPECTED_TABLES}.")
    return {str(name): _gather_splits(str(name), table) for name, table in data.items()}


def locate_tables(tables: Tables) -> dict[str, dict[str, Path]]:
    """Return the files that tables are written to, below the run's folder, by source and key.

    They are called NAME.parquet, or NAME.SPLIT.parquet where a source comes in splits.

    Args:
        tables: what `gather_tables` returns.
    """
    return {
        source: {
            key: Path(GIVEN_FOLDER, f"{source}.parquet" if key == "path" else f"{source}.{key}.parquet")
            for key in splits
        }
        for source, splits in tables.items()
    }


def _split_of(name: Any) -> str | None:
    return SPLIT_NAMES.get(text_key(str(name)))


def _gather_splits(source: str, data: Any) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        check_table(f"table '{source}'", data)
        return {"path": data}
    splits: dict[str, Any] = {}
    for name, table in data.items():
        split = _split_of(name)
        if split is None and isinstance(data, datasets.DatasetDict):
            continue  # such as rows without labels
        if split is None or split in splits:
            found = f"found '{name}'" if split is None else f"found a second table for {split}, '{name}'"
            raise UsageError(
                f"table '{source}': {found}, expected the splits train, dev and test, each a table; give several "
                "sources as a dict of their own."
            )
        check_table(f"table '{source}', {name}", table)
        splits[split] = table
    if "train" not in splits:
        found = list_some(map(str, data)) or "an empty dict"
        raise UsageError(f"table '{source}': found {found}, expected a split called train.")
    return splits


@dataclass(frozen=True)
class _Content:
    """A table as the bytes of a Parquet file.

    Args:
        where: what messages call it.
        content: the bytes; they hold the columns that the run reads.
        names: all its columns.
    """

    where: str
    content: bytes
    names: Sequence[str]

    def read(self) -> Rows:
        with pyarrow.parquet.ParquetFile(io.BytesIO(self.content)) as file:
            rows = from_arrow(file.read(), self.where)
        # All names, so that messages can say what there is; the other cells are not read.
        columns = {name: rows.columns.get(name, [None] * len(rows)) for name in self.names}
        return replace(rows, numbers=range(len(rows)), columns=columns, unit=ROW_UNIT)


class GivenTables:
    """Tables in memory that a run reads, each with the file that it is written to.

    Only the columns that the run reads are kept.

    Args:
        tables: what `gather_tables` returns.
        config: the run file, whose sources name the files of `locate_tables`.

    Raises:
        DataError: a table has no rows, or a column has cells that cannot be stored together.
    """

    def __init__(self, tables: Tables, config: "RunConfig") -> None:
        self.folder = config.output / GIVEN_FOLDER
        files = locate_tables(tables)
        self._contents = {
            config.output / files[source][key]: _convert(table, _name_table(source, key), _columns_read(config, source))
            for source, splits in tables.items()
            for key, table in splits.items()
        }

    def in_memory(self) -> AbstractContextManager[None]:
        """Have their files read from memory for the time of a block, whether they are written or not."""
        return reading_from_memory({path: content.read for path, content in self._contents.items()})

    def write(self) -> None:
        """Write the files, and remove those of a run that was here before."""
        self.folder.mkdir(exist_ok=True)
        clean_leftovers_in(self.folder)
        for path in self.folder.iterdir():
            if path not in self._contents and is_given_file(path):
                path.unlink()
        for path, table in self._contents.items():
            write_bytes(path, table.content)


def is_given_file(path: Path) -> bool:
    """Whether a file was written by `GivenTables.write`."""
    try:
        return _MARK in (pyarrow.parquet.read_metadata(path).metadata or {})
    except (OSError, pyarrow.ArrowException):
        return False


def given_strangers(folder: Path) -> list[str]:
    """Return what lies in a run's `data/` and was not written by `GivenTables`, as paths below the run's folder.

    Args:
        folder: the run's folder.
    """
    given = folder / GIVEN_FOLDER
    paths = sorted(given.iterdir()) if given.is_dir() else []
    others = [path.name for path in paths if not is_leftover_name(path.name) and not is_given_file(path)]
    return [f"{GIVEN_FOLDER}/{name}" for name in others]


def _name_table(source: str, key: str) -> str:
    split = "" if key == "path" else f", {key}"
    return f"table '{source}'{split}"


def _columns_read(config: "RunConfig", source: str) -> set[str]:
    """The columns that a run reads of a source."""
    own, names = config.sources[source], set[str | None]()
    held_out = [task.build_task(name) for name, task in config.held_out.items()]
    for task in (*config.open_tasks().values(), *held_out):
        if task.source == source:
            names |= {task.text, task.pair, *task.label_columns}
    return {name for name in {*names, own.group, own.disagreement, *own.subsets} if name is not None}


def _convert(table: Any, where: str, read: set[str]) -> _Content:
    columns = read_columns(table, where)
    # Of `meta.author` the column `meta`.
    wanted = {*read, *(name.rpartition(".")[0] for name in read), *(name.partition(".")[0] for name in read)}
    kept = {name: _store(cells, where, name) for name, cells in columns.items() if name in wanted}
    # Without any of them, the count of rows still counts.
    stored = pyarrow.table(kept or {"": pyarrow.nulls(len(next(iter(columns.values()))))})
    file = io.BytesIO()
    pyarrow.parquet.write_table(stored.replace_schema_metadata({_MARK: b"rows that were given to train"}), file)
    return _Content(where, file.getvalue(), list(columns))


def _store(cells: Sequence[Any], where: str, column: str) -> pyarrow.Array:
    """Return a column as an Arrow array of one type.

    Raises:
        DataError: its cells are of several types, or of one that Parquet does not hold.
    """
    try:
        array = pyarrow.array(cells)
        pyarrow.parquet.write_table(pyarrow.table({column: array}), io.BytesIO())
        return array
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        row = _first_bad_row(cells)
        if row is None:
            reason = shorten(" ".join(str(error).split()), 160)
            raise DataError(
                f"{where}, column '{column}': cannot be stored ({reason}); convert it, such as to text."
            ) from None
    found = f"found {shorten(repr(cells[row]), 60)} ({type(cells[row]).__name__})"
    before = next((type(cell).__name__ for cell in cells[:row] if cell is not None), None)
    expected = "a text, a number, a list or a dict" if before is None else f"{before} as above it"
    raise DataError(
        f"{where}, {ROW_UNIT} {row}, column '{column}': {found}, expected {expected}. Correct the cell, or convert the "
        "column, such as to text (.astype(str))."
    )


def _first_bad_row(cells: Sequence[Any]) -> int | None:
    """Find the first cell that does not go with those before it, by halving; None where all go together."""
    if _go_together(cells):
        return None
    good, bad = 0, len(cells)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if _go_together(cells[:middle]) else (good, middle)
    return good


def _go_together(cells: Sequence[Any]) -> bool:
    with suppress(pyarrow.ArrowException, TypeError, ValueError, OverflowError):
        pyarrow.array(cells)
        return True
    return False
