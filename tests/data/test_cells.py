"""Packed columns are what lists are, and tables made of them are the same."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.config import make_config
from equipoise.data import cells, load_table
from equipoise.data.cells import MappedCells, PackedCells, join, pack, take, to_arrow
from equipoise.data.merging import find_repeated
from equipoise.data.reading import read_rows
from equipoise.workspace import fingerprint

CELLS = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.sampled_from(["a", "b", "\ud800", ""]),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.tuples(st.text(max_size=1)),
)
COLUMNS = st.one_of(
    st.lists(CELLS, max_size=40),
    st.lists(st.none() | st.text(max_size=3), max_size=40),
    st.lists(st.none() | st.floats(), max_size=40),
    st.lists(st.integers(-5, 5), max_size=40),
    st.lists(st.booleans() | st.none(), max_size=40),
)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Columns are packed as if four rows were many."""
    monkeypatch.setattr(cells, "MANY", 4)
    monkeypatch.setattr(cells, "CHUNK", 3)
    monkeypatch.setattr(cells, "_FEW", 2)


def shown(column):
    """The cells and their types; NaN is itself."""
    return [(type(cell), repr(cell)) for cell in column]


@settings(deadline=None)
@given(column=COLUMNS, data=st.data())
def test_cells_come_out_as_they_were_put_in(column, data):
    packed = pack(iter(column), len(column))
    assert isinstance(packed, PackedCells) == (len(column) >= 4)
    assert len(packed) == len(column)
    assert shown(packed) == shown(column) == shown(packed[place] for place in range(len(column)))
    places = data.draw(st.lists(st.integers(0, max(0, len(column) - 1)), max_size=10 if column else 0))
    for chosen in (places, sorted(places), sorted(set(places))):
        assert shown(take(packed, np.array(chosen, dtype=np.int64))) == shown(column[place] for place in chosen)
    assert shown(packed[1:-1]) == shown(column[1:-1])
    assert shown(join([packed, packed])) == shown(column + column)
    assert (packed == column) == (column == column)
    with pytest.raises(IndexError):
        packed[len(column)]


def test_few_different_texts_are_kept_once_each_and_numbers_as_numbers():
    packed = pack(["a", "b", "a", None, "a", "c"], 6)
    assert [type(chunk).__name__ for chunk in packed._chunks] == ["_Coded", "StringArray"]
    assert [str(chunk.type) for chunk in pack([1.5, None, 2.0, 3.0], 4)._chunks] == ["double", "double"]
    # A whole number among fractions stays whole.
    assert shown(pack([1, 2.5, True, None], 4)) == shown([1, 2.5, True, None])


def test_cells_that_follow_from_others():
    texts = pack(["a", "b", "c", "d"], 4)
    keys = MappedCells(lambda *cells: cells, [texts, texts])
    assert list(keys) == [(text, text) for text in "abcd"]
    assert keys[2] == ("c", "c")
    assert list(keys[1:3]) == list(take(keys, np.array([1, 2]))) == [("b", "b"), ("c", "c")]
    assert list(join([keys, keys])) == 2 * list(keys)


def test_columns_that_hold_the_same_share_it_bit_for_bit():
    given = pack([0.0, 1.0, 2.0, -0.0, 1.0, 2.0, None], 7)
    same, other = pack([0.0, 1.0, 2.0, 0.0, 1.0, 2.0, None], 7), pack(["a", "b", "c", "d"], 4)
    shared = cells.share(same, given)
    assert shown(shared) == shown(same) != shown(given)
    assert [one is two for one, two in zip(shared._chunks, given._chunks, strict=True)] == [True, False, False]
    assert cells.share(other, given) is other
    texts = pack(["a", "b", "c", "d", "e"], 5)
    assert cells.share(pack(["a", "b", "c", "d", "x"], 5), texts)._chunks[0] is texts._chunks[0]


def test_a_column_for_arrow():
    texts = pack(["a", "b", "c", "d"], 4)
    assert to_arrow(texts, pa.string())[0] is texts._chunks[0]
    assert pa.chunked_array(to_arrow(pack([1, None, 3, 4], 4), pa.float64())).to_pylist() == [1.0, None, 3.0, 4.0]


@given(st.lists(st.integers(0, 6), max_size=12))
def test_repeated_keys(keys):
    expected = [[i for i, other in enumerate(keys) if other == key] for key in dict.fromkeys(keys)]
    assert find_repeated(lambda: keys, len(keys)) == [group for group in expected if len(group) > 1]


def test_keys_with_the_same_hash_are_kept_apart():
    class Key:
        def __init__(self, name):
            self.name = name

        def __hash__(self):
            return 7

        def __eq__(self, other):
            return self.name == other.name

    keys = [Key("a"), Key("b"), Key("a")]
    assert find_repeated(lambda: keys, 3) == [[0, 2]]


def write(folder, rows):
    table = pa.table({name: [row.get(name) for row in rows] for name in ("text", "stars", "tone", "author", "more")})
    pyarrow.parquet.write_table(table, folder / "rows.parquet")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [",".join(str(row.get(name, "")) for name in table.column_names) for row in rows]
    (folder / "rows.csv").write_text("\n".join([",".join(table.column_names), *lines]))


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("keys", [{}, {"group": "author"}, {"subsets": ["more"], "na": ["3.0"], "clean": "html"}])
def test_tables_of_packed_columns_are_those_of_lists(tmp_path, monkeypatch, ending, keys):
    draw = np.random.default_rng(0)
    rows = [
        {
            "text": f"Text {draw.integers(60)} <b>&amp;</b>",
            "stars": float(draw.integers(1, 5)),
            **({"tone": ["Good", "good", "bad"][draw.integers(3)]} if draw.random() < 0.8 else {}),
            "author": f"a{draw.integers(40)}",
            "more": f"m{draw.integers(3)}",
        }
        for _ in range(150)
    ]
    write(tmp_path, rows)
    keys = keys if ending != "csv" or "na" in keys else {**keys, "na": [""]}
    config = make_config(
        {
            "model": "bilstm",
            "sources": {"s": {"path": str(tmp_path / f"rows.{ending}"), "split": [0.6, 0.2, 0.2], **keys}},
            "tasks": {
                "stars": {"source": "s", "kind": "regression", "label": "stars", "range": [1, 5]},
                "tone": {"source": "s", "kind": "classification", "label": "tone"},
            },
            "output": str(tmp_path / "run"),
        }
    )
    assert isinstance(read_rows(tmp_path / f"rows.{ending}").columns["text"], PackedCells)
    packed = load_table(config)
    monkeypatch.setattr(cells, "MANY", 10**9)
    plain = load_table(config)
    assert packed.notes == plain.notes
    assert packed.tasks == plain.tasks
    assert fingerprint(packed) == fingerprint(plain)
    for split, dataset in plain.splits.items():
        assert packed.splits[split].features == dataset.features
        assert packed.splits[split].to_list() == dataset.to_list()


def test_objects_that_have_different_keys(tmp_path, monkeypatch):
    """Keys that come late, and lines that are no rows."""
    objects = [{"a": 1}, {"b": "x"}, {"a": 2, "c": [1]}, {}, {"d": None}, {"a": 2.5, "e": True}, {"b": "y"}]
    lines = [json.dumps(one) for one in objects]
    (tmp_path / "a.jsonl").write_text("\n".join(["\ufeff" + lines[0], "", *lines[1:], " "]))
    packed = read_rows(tmp_path / "a.jsonl")
    monkeypatch.setattr(cells, "MANY", 10**9)
    plain = read_rows(tmp_path / "a.jsonl")
    assert list(packed.columns) == list(plain.columns) == ["a", "b", "c", "d", "e"]
    assert {name: shown(column) for name, column in packed.columns.items()} == {
        name: shown(column) for name, column in plain.columns.items()
    }
    assert list(packed.numbers) == list(plain.numbers) == [1, 3, 4, 5, 6, 7, 8]
    assert packed.where(3) == plain.where(3)


def test_the_fingerprint_is_that_of_whole_columns(tmp_path, monkeypatch):
    from hashlib import sha256

    from equipoise.workspace import _inputs

    write(tmp_path, [{"text": f"it's {number}", "stars": number / 7, "author": "a"} for number in range(30)])
    config = make_config(
        {
            "model": "bilstm",
            "sources": {"s": {"path": str(tmp_path / "rows.parquet")}},
            "tasks": {"stars": {"source": "s", "kind": "regression", "label": "stars"}},
            "output": str(tmp_path / "run"),
        }
    )
    table = load_table(config)
    digest = sha256()
    for dataset in table.splits.values():
        for column in dataset.column_names:
            digest.update(repr(dataset[column][:]).encode())
    monkeypatch.setattr(_inputs, "_ROWS", 7)
    assert fingerprint(table) == digest.hexdigest()
