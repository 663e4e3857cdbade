"""JSON, JSONL and Parquet files that are not as they should be."""

import json
import re
import time
from collections import Counter
from contextlib import suppress

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_cases import LABEL
from equipoise.data import FORMATS, read_rows
from equipoise.errors import DataError, EquipoiseError


def message(path):
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert len(str(caught.value)) <= 500
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.jsonl", '{"text": "x"}\n{"text": "a", "text": "b"}\n', "a.jsonl, line 2: found the key 'text' twice"),
        ("a.jsonl", '{"a": [{"b": 1, "b": 1}]}\n', "a.jsonl, line 1: found the key 'b' twice"),
        ("a.json", '[{"a": 1},\n {"a": 1, "b": {"c": 1, "c": 2}}]', "a.json, row 2: found the key 'c' twice"),
    ],
)
def test_keys_that_repeat(write, name, content, found):
    assert found in message(write(name, content))


@pytest.mark.parametrize(("name", "unit"), [("a.jsonl", "line"), ("a.json", "row")])
def test_all_bad_objects_are_counted(write, name, unit):
    objects = ['{"text": "x"}', *['{"a": 1, "a": 2}'] * 7, '{"text": "y"}', "3"]
    content = "\n".join(objects) if name == "a.jsonl" else f"[{', '.join(objects)}]"
    assert message(write(name, content)).endswith(f"8 {unit}s are bad: 2, 3, 4, 5, 6, ….")


def test_files_that_are_joined_may_have_byte_order_marks(write):
    assert len(read_rows(write("a.jsonl", '\ufeff{"text": "a"}\n\ufeff{"text": "b"}\n'))) == 2


def test_keys_that_differ_from_row_to_row_are_no_columns(write):
    rows = [{f"{row} {key}": 1 for key in range(20)} for row in range(2000)]
    started = time.perf_counter()
    text = message(write("a.jsonl", rows))
    assert "found 40000 different keys in 2000 objects, expected the columns of a table" in text
    assert time.perf_counter() - started < 20


def test_columns_of_a_parquet_file_that_repeat(tmp_path):
    table = pyarrow.table([["a"], ["b"], ["c"]], names=["text", "label", "text"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert "a.parquet: found column 'text' twice, expected different names. Rename one." in message(
        tmp_path / "a.parquet"
    )


def test_bytes_of_a_parquet_file_are_text(tmp_path, load):
    columns = {
        "text": pyarrow.array([f"text {i}".encode() for i in range(60)], pyarrow.binary()),
        "label": pyarrow.array([b"n\xc3\xa9gatif", b"positif"] * 30, pyarrow.large_binary()),
        "words": pyarrow.array([[b"joy", b"fear"], [b"joy"]] * 30, pyarrow.list_(pyarrow.binary())),
        "image": pyarrow.array([b"\xff\xd8\xff", b"text"] * 30, pyarrow.binary()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    rows = read_rows(tmp_path / "a.parquet")
    assert rows.columns["label"][:2] == ["négatif", "positif"]
    assert rows.columns["image"][:2] == [b"\xff\xd8\xff", "text"]
    many = {"source": "s", "kind": "multilabel", "label": "words", "classes": ["joy", "fear"]}
    source = {"path": "a.parquet"}
    assert load({"s": source}, {"t": LABEL}).tasks["t"].classes == ("négatif", "positif")
    with pytest.raises(DataError, match=r"applies to every training row"):
        load({"s": source}, {"t": many})
    with pytest.raises(DataError, match=r"row 1, column 'image' .* found b'\\xff\\xd8\\xff', expected a class"):
        load({"s": source}, {"t": LABEL | {"label": "image"}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=3), min_size=1, max_size=5)


@given(OBJECTS, st.booleans())
def test_what_the_json_module_writes_is_read_back(tmp_path_factory, objects, ascii_only):
    folder = tmp_path_factory.getbasetemp()
    lines = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in objects)
    (folder / "round.jsonl").write_text(lines, encoding="utf-8")
    (folder / "round.json").write_text(json.dumps(objects, ensure_ascii=ascii_only, indent=1), encoding="utf-8")
    for name in ("round.jsonl", "round.json"):
        rows = read_rows(folder / name)
        found = [dict(zip(rows.columns, row, strict=True)) for row in zip(*rows.columns.values(), strict=True)]
        names = list(rows.columns)
        assert found == [{name: row.get(name) for name in names} for row in objects]


MARKS = [*',;|\t\n\r"\\{}[]:', "\r\n", "\ufeff", "\0", "\u2028", "\\ud800", '""', '","']
WORDS = ["text", "label", '"text"', '"label"', "1", "1.0", "NaN", "null", '{"a": 1}', "é", "1e999", "9" * 20]
LINES = ["text,label\n", "text\tlabel\n", '[{"text": "a"}]']
PIECES = st.sampled_from(MARKS + WORDS + LINES)
CONTENTS = st.binary(max_size=60) | st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode())


@given(CONTENTS, st.sampled_from(sorted(FORMATS)))
def test_any_file_ends_in_rows_or_in_one_message(tmp_path_factory, content, ending):
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    for data in {content, b"PAR1" + content + b"PAR1"} if ending == ".parquet" else [content]:
        path.write_bytes(data)
        try:
            rows = read_rows(path)
        except EquipoiseError as error:
            told = str(error)
        else:
            assert len(rows) > 0
            assert all(len(column) == len(rows) for column in rows.columns.values())
            continue
        assert str(path) in told
        # A wrong encoding and a wrong delimiter are said together, a line each.
        first, *others = told.split("\n")
        assert not others or re.fullmatch(r"found \d faults:", first)
        assert all(len(line) <= 500 for line in (first, *others))


@given(st.lists(PIECES, max_size=25).map("".join), st.sampled_from([",", "\t"]))
def test_no_character_is_lost(tmp_path_factory, content, delimiter):
    """Every character of a CSV or TSV file but quotation marks is in a cell, or the file is refused."""
    path = tmp_path_factory.getbasetemp() / ("letters.csv" if delimiter == "," else "letters.tsv")
    content = f"text{delimiter}label\n{content}"
    path.write_text(content, encoding="utf-8", newline="")
    with suppress(EquipoiseError):
        rows = read_rows(path)
        cells = [cell for column in rows.columns.values() for cell in column if cell is not None]
        passed_over = {'"', "\ufeff", delimiter, *"\r\n"}
        read = "".join([*rows.columns, *cells])
        assert Counter(x for x in read if x not in passed_over) == Counter(x for x in content if x not in passed_over)
