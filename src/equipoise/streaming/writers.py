"""Answers as bytes: what is written for one window is appended to what was written for those before it."""

import csv
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from equipoise.files import to_json
from equipoise.json_values import as_json_value
from equipoise.temporaries import temporary_file

from .columns import TableColumns

MARK = {b"equipoise": b"predictions"}
"""The metadata by which a Parquet file is known to be ours."""
_GROUP = 8
"""Windows in a row group of a Parquet file."""


class Writer(ABC):
    """A format of answers. Objects can be sent to other processes."""

    def begin(self) -> bytes:
        """Return what stands before the first answer."""
        return b""

    @abstractmethod
    def encode(self, answers: Sequence[dict[str, Any]]) -> bytes:
        """Return the answers of a window."""

    def finish(self, partial: Path, output: Path) -> None:
        """Let a file of all that was returned become the output, whole or not at all."""
        os.replace(partial, output)


class JsonWriter(Writer):
    """One JSON object per line."""

    def encode(self, answers: Sequence[dict[str, Any]]) -> bytes:
        """Return the lines of a window."""
        return _encode("".join(to_json(as_json_value(answer)) + "\n" for answer in answers))


@dataclass(frozen=True)
class DelimitedWriter(Writer):
    """CSV or TSV, as the `csv` module writes it; an empty cell stands for nothing.

    Args:
        columns: the columns.
        delimiter: what stands between two cells.
    """

    columns: TableColumns
    delimiter: str

    def begin(self) -> bytes:
        """Return the header."""
        return self._write([self.columns.names])

    def encode(self, answers: Sequence[dict[str, Any]]) -> bytes:
        """Return the rows of a window."""
        return self._write([[_as_cell(cell) for cell in self.columns.cells(answer)] for answer in answers])

    def _write(self, rows: Sequence[Sequence[Any]]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="\n").writerows(rows)
        return _encode(text.getvalue())


@dataclass(frozen=True)
class ArrowWriter(Writer):
    """Parquet. Until all answers are there they are an Arrow stream, to which one can append.

    Args:
        columns: the columns.
        given: the Arrow schema of the input, where it has one.
    """

    columns: TableColumns
    given: Any = None

    @property
    def schema(self) -> Any:
        """The Arrow schema of what is written."""
        import pyarrow as pa

        kinds = {"text": pa.string(), "json": pa.string(), "number": pa.float64(), "integer": pa.int64()}
        kinds["truth"] = pa.bool_()
        fields = [
            (
                column.name,
                _plain_type(self.given.field(column.path[0]).type)
                if column.kind == "arrow"
                else kinds[column.kind or "text"],
            )
            for column in self.columns.columns
        ]
        return pa.schema([*fields, (self.columns.names[-1], pa.string())], metadata=MARK)

    def begin(self) -> bytes:
        """Return the schema."""
        return bytes(self.schema.serialize())

    def encode(self, answers: Sequence[dict[str, Any]]) -> bytes:
        """Return the rows of a window."""
        return bytes(self.batch(answers).serialize())

    def batch(self, answers: Sequence[dict[str, Any]]) -> Any:
        """Return answers as a `pyarrow.RecordBatch`."""
        import pyarrow as pa

        schema = self.schema
        cells = zip(*(map(_whole, self.columns.cells(answer)) for answer in answers), strict=True)
        arrays = [pa.array(list(column), field.type) for column, field in zip(cells, schema, strict=True)]
        return pa.record_batch(arrays, schema=schema)

    def finish(self, partial: Path, output: Path) -> None:
        """Write a Parquet file from the stream, which is removed."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with temporary_file(output) as temporary:
            with (
                partial.open("rb") as file,
                pa.ipc.open_stream(file) as stream,
                pq.ParquetWriter(temporary, stream.schema) as parquet,
            ):
                batches = iter(stream)
                while group := list(islice(batches, _GROUP)):
                    parquet.write_table(pa.Table.from_batches(group), row_group_size=2**40)
            os.replace(temporary, output)
        partial.unlink()


def _plain_type(kind: Any) -> Any:
    """Return the type of the values of a dictionary, which an appended batch cannot have."""
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _as_cell(cell: Any) -> Any:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if cell is None or isinstance(cell, str | int | float):
        return cell
    plain = as_json_value(cell)
    return plain if isinstance(plain, str) else to_json(plain)


def _encode(text: str) -> bytes:
    """Return UTF-8; half a character, which only a row with an error can hold, as its escape."""
    return text.encode(errors="backslashreplace")


def _whole(cell: Any) -> Any:
    return _encode(cell).decode() if isinstance(cell, str) else cell
