"""Rows read one after the other are those of the file read as a whole."""

import csv
import io
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from equipoise.data import BadRow, Meter, read_rows, stream_rows

CELLS = st.text(st.sampled_from('ab ,;"\n\r\té0|'), max_size=6)


def streamed(path):
    return list(stream_rows(path).read(Meter()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("streams")


# Tabs in the cells of a CSV file, as many in most rows.
@example([("", ",\t", "0"), ("", ",", "0"), ("", "\t", "0")], ",")
@given(st.lists(st.tuples(CELLS, CELLS, st.integers(0, 9).map(str)), min_size=1, max_size=12), st.sampled_from(",\t"))
def test_a_table_is_read_as_in_training(folder, rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([("text", "second", "number"), *rows])
    path = folder / ("a.csv" if delimiter == "," else "a.tsv")
    path.write_text("\ufeff" + text.getvalue(), newline="")
    try:
        whole = read_rows(path)
    except Exception:
        assert any(isinstance(row, BadRow) for _, row in streamed(path))
        return
    cells = [dict(zip(whole.columns, own, strict=True)) for own in zip(*whole.columns.values(), strict=True)]
    assert streamed(path) == list(zip(whole.numbers, cells, strict=True))


@given(st.lists(st.dictionaries(st.sampled_from(["text", "n"]), CELLS | st.integers(), min_size=1), min_size=1))
def test_objects_are_read_as_in_training(folder, rows):
    path = folder / "a.jsonl"
    path.write_text("\n\n".join(map(json.dumps, rows)))
    whole = read_rows(path)
    found = streamed(path)
    assert [number for number, _ in found] == list(whole.numbers)
    assert [row for _, row in found] == rows


def test_rows_behind_a_broken_cell_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'text,n\na,1\n"open,2\nb,3\n' + b"more,4\n" * 2000 + b'"c\nd",5\ncaf\xe9,6\ne,7,8\ntext,n\n')
    found = streamed(path)
    bad = {number: row.problem for number, row in found if isinstance(row, BadRow)}
    assert len(found) == 2000 + 7
    assert list(bad) == [3, 2007, 2008, 2009]
    assert bad[3].startswith("found a broken cell (unexpected end of data)")
    assert bad[2007].startswith(
        "found a byte that is not UTF-8 (0xe9), expected UTF-8 text. The file seems to be cp1252"
    )
    assert bad[2008].startswith("found 3 cells, expected 2")
    assert bad[2009].startswith("found the header again")
    assert found[3 + 2000] == (2005, {"text": "c\nd", "n": "5"})


def test_a_line_without_end_is_one_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.data.text_bytes.LONGEST_LINE", 50)
    monkeypatch.setattr("equipoise.data.delimited_stream.LONGEST_LINE", 50)
    for name, content in (("a.txt", "a\n{}\nb\n"), ("a.csv", "text\n{}\nb\n"), ("a.jsonl", '{{"text": "a"}}\n{}\n')):
        (tmp_path / name).write_text(content.format("x" * 500))
        problems = [row.problem for _, row in streamed(tmp_path / name) if isinstance(row, BadRow)]
        assert len(problems) == 1
        assert "found a line of 50" in problems[0]
