"""Which files of answers may be written, and replaced."""

import csv
from pathlib import Path

from equipoise.errors import OutputError, UsageError
from equipoise.files import check_writable
from equipoise.outputs import Inputs, check_apart, check_output_file, holds_predictions

from .columns import ERROR
from .writers import MARK

TABLES = {".csv": ",", ".tsv": "\t", ".parquet": ""}
"""Endings of tables, and what stands between two cells."""
_LONGEST_HEADER = 10_000_000


def check_predictions_file(file: Path, inputs: Inputs) -> None:
    """Decide whether answers may be written to a file, and replace what lies there.

    They may if there is no file, an empty one, or answers of an earlier call. They never may where the file is
    something that the command reads, or lies in a folder that it reads.

    Args:
        file: the file to write.
        inputs: what the command reads.

    Raises:
        OutputError: the file may not be written.
        UsageError: see `equipoise.files.check_writable`; or its ending is one that is not written.
    """
    ending = file.suffix.lower()
    if ending in (".gz", ".xlsx"):
        raise UsageError(f"{file}: found the ending {ending}, expected .jsonl, .csv, .tsv or .parquet; none is packed.")
    if ending not in TABLES:
        check_output_file(file, inputs, holds_predictions, "predictions")
        return
    hint = "choose another file"
    check_writable(file)
    check_apart(file, inputs, hint)
    if file.exists() and file.stat().st_size and not _is_ours(file, ending):
        raise OutputError(
            f"{file}: found a file that does not hold predictions, expected none, an empty one, or predictions; "
            f"nothing was changed; {hint}, or remove it."
        )


def _is_ours(file: Path, ending: str) -> bool:
    """Whether a table has our mark, or a header as we write it."""
    if ending == ".parquet":
        import pyarrow
        import pyarrow.parquet

        try:
            metadata = pyarrow.parquet.read_schema(file).metadata or {}
        except (pyarrow.ArrowException, OSError, ValueError):
            return False
        return MARK.items() <= metadata.items()
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            header = next(csv.reader([lines.readline(_LONGEST_HEADER)], delimiter=TABLES[ending]), [])
    except (UnicodeDecodeError, csv.Error):
        return False
    return len(header) > 1 and header[-1] == ERROR
