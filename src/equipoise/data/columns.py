"""Columns of tokens as arrays."""

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def read_tokens(rows: datasets.Dataset, column: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many tokens each row has, and the tokens of all rows behind one another.

    Args:
        rows: encoded rows.
        column: a column of lists of tokens, such as "input_ids".
    """
    lists = rows.with_format("arrow")[column][:]
    lengths = pc.list_value_length(lists).to_numpy()
    # Where all lists are empty, their elements have no type.
    flat = pc.list_flatten(lists).cast(pa.int64()).to_numpy()
    return lengths.astype(np.int64), flat
