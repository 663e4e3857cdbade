"""Columns that grow in a file are those that grow in memory."""

import errno
import tempfile

import datasets
import numpy as np
import pytest
from transformers import AutoTokenizer

from equipoise.data import FlatRows, spools, tokenize
from equipoise.data.spools import ListSpool, Spool
from equipoise.errors import DataError


@pytest.mark.parametrize("limit", [0, 40, 10**6])
def test_numbers(monkeypatch, limit):
    monkeypatch.setattr(spools, "LIMIT", limit)
    spool = Spool(np.int32)
    for part in ([1, 2, 3], [], range(20), np.arange(7)[::2]):
        spool.add(part)
    found = spool.finish()
    assert found.tolist() == [1, 2, 3, *range(20), 0, 2, 4, 6]
    assert isinstance(found, np.memmap) == (limit < 100)
    assert spool.to_arrow().to_pylist() == found.tolist()


@pytest.mark.parametrize("limit", [0, 10**6])
def test_lists(monkeypatch, limit):
    monkeypatch.setattr(spools, "LIMIT", limit)
    monkeypatch.setattr(spools, "_PIECE", 2)
    one, other = ListSpool(np.int8), ListSpool(np.int8)
    one.add([[1, 2], []])
    one.add([[3]])
    other.add([[], [4, 5, 6], [7]])
    one.join(other)
    assert one.to_arrow().to_pylist() == [[1, 2], [], [3], [], [4, 5, 6], [7]]


def test_more_numbers_than_32_bits_count(monkeypatch):
    monkeypatch.setattr(spools, "_MOST_BY_32_BITS", 2)
    spool = ListSpool(np.int32)
    spool.add([[1, 2], [3]])
    lists = spool.to_arrow()
    assert str(lists.type) == "large_list<item: int32>"
    rows = FlatRows(datasets.Dataset.from_dict({"index": [0, 1]}).data.table.append_column("a", lists))
    assert rows.take([1, 0]).lists("a")[0].tolist() == [3, 1, 2]


@pytest.mark.parametrize("windows", [False, True])
def test_rows_are_tokenized_into_a_file_as_into_memory(tiny_model, monkeypatch, windows):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    texts = ["good film", "the best plot of all the films that we have seen so far", "bad", "so so"] * 3
    columns = {"text": texts, "pair": [None, "actor", "price", None] * 3, "label:score": [0.5, None, -0.25, 1] * 3}
    data = datasets.Dataset.from_dict(columns)
    expected, long = tokenize(data, tokenizer, 9, offsets=True, windows=windows)
    monkeypatch.setattr(spools, "LIMIT", 0)
    monkeypatch.setattr("equipoise.data.tokenizing._BATCH", 5)
    found, also_long = tokenize(data, tokenizer, 9, offsets=True, windows=windows)
    assert (found.features, also_long) == (expected.features, long)
    assert found.to_list() == expected.to_list()


def test_a_full_disk_is_said(monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spools, "LIMIT", 0)
    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(DataError, match=r"cannot be kept there .*TMPDIR"):
        Spool(np.int8).add([1])
