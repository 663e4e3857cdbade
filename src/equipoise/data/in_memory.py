"""Tables in memory, made without the hashes by which `datasets` finds its caches; they take longer than a few texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import pyarrow as pa
from datasets.fingerprint import generate_random_fingerprint

_TYPES = {"input_ids": pa.list_(pa.int32()), "token_type_ids": pa.list_(pa.int8())}
"""Narrow types of the columns that hold most of the numbers."""


def make_dataset(columns: Mapping[str, Sequence[Any]]) -> datasets.Dataset:
    """Return columns as a table.

    Args:
        columns: by name, equally long.
    """
    return _wrap(pa.table({name: pa.array(values, _TYPES.get(name)) for name, values in columns.items()}))


def add_columns(dataset: datasets.Dataset, columns: Mapping[str, Sequence[Any]]) -> datasets.Dataset:
    """Return a table with further columns.

    Args:
        dataset: the table.
        columns: by name, as long as the table.
    """
    table = dataset.with_format("arrow")[:]
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values, _TYPES.get(name)))
    return _wrap(table)


def _wrap(table: pa.Table) -> datasets.Dataset:
    return datasets.Dataset(table, fingerprint=generate_random_fingerprint())
