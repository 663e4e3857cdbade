"""The page of a merge, and its table for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich.table

from equipoise.files import write_text


def write_merge(folder: str | Path, results: Mapping[str, Any]) -> Path:
    """Write `merge.html` into the folder of a merge."""
    path = Path(folder) / "merge.html"
    write_text(path, "<!DOCTYPE html>\n<title>Equipoise merge</title>\n")
    return path


def merge_table(results: Mapping[str, Any]) -> rich.table.Table:
    """Return each row's primary metric on test, for the terminal."""
    table = rich.table.Table("row", *results["tasks"], "run score")
    for row in results["rows"]:
        values = [f"{row['metrics']['test'][task]['value']:.3f}" for task in results["tasks"]]
        table.add_row(row["name"], *values, f"{row['run_score']['test']:.3f}")
    return table
