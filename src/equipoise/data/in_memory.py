"""Tables in memory, made without the hashes by which `datasets` finds its caches; they take longer than a few texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.fingerprint import generate_random_fingerprint

NARROW = {"input_ids": np.int32, "token_type_ids": np.int8}
"""Narrow types of the columns that hold most of the numbers."""


def make_dataset(columns: Mapping[str, Sequence[Any]]) -> datasets.Dataset:
    """Return columns as a table.

    Args:
        columns: by name, equally long.
    """
    return wrap_table(pa.table({name: _make_array(name, values) for name, values in columns.items()}))


def add_columns(dataset: datasets.Dataset, columns: Mapping[str, Sequence[Any] | pa.Array]) -> datasets.Dataset:
    """Return a table with further columns.

    Args:
        dataset: the table.
        columns: by name, as long as the table.
    """
    table = dataset.with_format("arrow")[:]
    for name, values in columns.items():
        table = table.append_column(name, _make_array(name, values))
    return wrap_table(table)


def _make_array(name: str, values: Sequence[Any] | pa.Array) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return pa.array(values, pa.list_(pa.from_numpy_dtype(NARROW[name])) if name in NARROW else None)


def wrap_table(table: pa.Table) -> datasets.Dataset:
    """Return a table of Arrow as a data set."""
    return datasets.Dataset(table, fingerprint=generate_random_fingerprint())
