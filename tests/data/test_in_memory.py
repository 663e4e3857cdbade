"""Tables in memory are those that `datasets` makes."""

import datasets
import pytest

from equipoise.data import make_dataset
from equipoise.data.in_memory import add_columns

COLUMNS = {"text": ["a", "b c", ""], "pair": [None, "x", None], "length": [1, 2, 3]}
FURTHER = {"input_ids": [[1, 2], [], [3]], "token_type_ids": [[0, 1], [], [0]], "offsets": [[], [1, 2], []]}


def test_columns_are_as_datasets_makes_them():
    found, expected = make_dataset(COLUMNS | FURTHER), datasets.Dataset.from_dict(COLUMNS | FURTHER)
    assert found.to_dict() == expected.to_dict()
    assert found.features == expected.features


@pytest.mark.parametrize("chosen", [[0, 1, 2], [2, 0]])
def test_further_columns_stand_beside_a_selection_too(chosen):
    rows = datasets.Dataset.from_dict(COLUMNS).select(chosen)
    further = {name: values[: len(chosen)] for name, values in FURTHER.items()}
    found = add_columns(rows, further)
    assert found.to_dict() == {name: [values[row] for row in chosen] for name, values in COLUMNS.items()} | further
    assert found.column_names == [*COLUMNS, *FURTHER]
