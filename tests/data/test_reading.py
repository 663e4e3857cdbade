import csv
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from equipoise.data import read_rows
from equipoise.errors import DataError

ROWS = {"text": ["one", "two, too"], "label": ["a", None]}


@pytest.mark.parametrize(
    ("name", "content", "unit", "numbers"),
    [
        ("a.csv", 'text,label\none,a\n"two, too",\n', "line", [2, 3]),
        ("a.tsv", "text\tlabel\none\ta\ntwo, too\t\n", "line", [2, 3]),
        ("a.jsonl", '{"text": "one", "label": "a"}\n\n{"text": "two, too"}', "line", [1, 3]),
        ("a.json", '[{"text": "one", "label": "a"},\n {"text": "two, too", "label": null}]', "row", [1, 2]),
        ("b.json", '{"text": "one", "label": "a"}\n{"text": "two, too", "label": null}\n', "line", [1, 2]),
        ("A.CSV", '\ufefftext,label\r\none,a\r\n\r\n"two, too",\r\n', "line", [2, 4]),
    ],
)
def test_text_formats_give_the_same_rows(write, name, content, unit, numbers):
    rows = read_rows(write(name, content))
    assert rows.columns == ROWS
    assert (rows.unit, list(rows.numbers)) == (unit, numbers)


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table(ROWS), path)
    rows = read_rows(path)
    assert rows.columns == ROWS
    assert rows.where(1) == f"{path}, row 2"


def test_csv_cells_stay_the_text_that_they_are(write):
    rows = read_rows(write("a.csv", "text,label\nNA,None\nnull,nan\n007,1.0\nTrue,-\n"))
    assert rows.columns == {"text": ["NA", "null", "007", "True"], "label": ["None", "nan", "1.0", "-"]}


def test_json_cells_keep_their_types(write):
    rows = read_rows(write("a.jsonl", '{"label": 1}\n{"label": "NA"}\n{"label": 0.5}\n{"label": null}\n'))
    assert rows.columns["label"] == [1, "NA", 0.5, None]


def test_a_cell_may_be_long(write):
    assert len(read_rows(write("a.csv", f"text\n{'long ' * 40_000}\n")).columns["text"][0]) == 200_000
    assert csv.field_size_limit() == 131_072  # what others in the process count on


def test_one_column_needs_no_delimiter(write):
    assert read_rows(write("a.csv", "text\rbut; this\r")).columns == {"text": ["but; this"]}


def test_quoted_line_breaks_count_as_lines(write):
    rows = read_rows(write("a.csv", 'text,label\n"one\nmore",a\ntwo,b\n'))
    assert list(rows.numbers) == [2, 4]


def test_unicode_line_separators_do_not_end_a_line(write):
    assert read_rows(write("a.jsonl", '{"text": "a\u2028b\x85c"}\n')).columns["text"] == ["a\u2028b\x85c"]


def test_a_changed_file_is_read_anew_and_nothing_is_left_behind(write):
    path = write("a.csv", "text\none\n")
    read_rows(path)
    write("a.csv", "text\ntwo\n")
    assert read_rows(path).columns["text"] == ["two"]
    assert [file.name for file in path.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("name", "content", "phrases"),
    [
        ("a.jsonl", '{"text": "x"}\n{"text": "y"\n', ["a.jsonl, line 2", 'found \'{"text": "y"\'', "one JSON object"]),
        ("a.jsonl", '{"text": "x"}\n[1]\n', ["a.jsonl, line 2", "found '[1]'", "one JSON object"]),
        ("a.jsonl", '{"text": "\\ud83d"}\n', ["a.jsonl, line 1", "surrogate"]),
        ("a.json", '[{"text": "x"},\n {"text"}]', ["a.json, line 2", "array of objects"]),
        ("a.json", '[{"text": "x"}, 3]', ["a.json, row 2", "found '3'"]),
        (
            "a.json",
            '{"n": 1, "all": [\n{"text": "x"}\n]}',
            ["a.json: ", "whose 'all' is an array of objects (1)", "of its own"],
        ),
        ("a.json", '{"text":\n{"0": "x", "1": "y"}}', ["one object over several lines", "orient='records'"]),
        ("a.csv", "text,label\nx,a\ny\n", ["a.csv, line 3", "found 1 cells", "expected 2", "text, label"]),
        ("a.csv", "text,label\nx,a\n\nwell, yes,b\n", ["a.csv, line 4", "found 3 cells", "double quotes"]),
        ("a.csv", 'text,label\nx,a\n"y,b\nz,c\n', ["a.csv, line 3", "broken cell"]),
        ("a.csv", 'text,label\n"x" y,a\n', ["a.csv, line 2", "broken cell"]),
        (
            "a.csv",
            "text;label\nwell, yes;a\n",
            ["line 1", "found 'text;label'", "by semicolons", 'sep: ";"'],
        ),
        ("a.csv", '"text";"label"\n"x";"a"\n', ["a.csv, line 1", "separated by semicolons, expected commas"]),
        ("a.csv", "text\tlabel\nx\ta\n", ["a.csv, line 1", "separated by tabs, expected commas. Say sep: tab"]),
        ("a.tsv", "text,label\nx,a\n", ["a.tsv, line 1", 'separated by commas, expected tabs. Say sep: ","']),
        ("a.csv", "sep=,\ntext,label\nx,a\n", ["a.csv, line 1", "found 'sep=,'", "Delete it"]),
        ("a.csv", "text,text\nx,a\n", ["a.csv, line 1", "'text' twice"]),
        ("a.csv", b"text,label\nx,a\ncaf\xe9,b\n", ["a.csv, line 3", "not UTF-8 (0xe9)"]),
        ("a.jsonl", b'{"text": "caf\xe9"}\n', ["a.jsonl, line 1", "not UTF-8"]),
        ("a.csv", "", ["a.csv", "empty"]),
        ("a.csv", "text,label\n", ["a.csv", "found a header and no rows"]),
        ("a.jsonl", "\n\n", ["a.jsonl", "found no rows"]),
        ("a.json", "[]", ["a.json", "found no rows"]),
        ("a.jsonl", '{"n": 1}\n{"n": ' + "9" * 5000 + "}", ["a.jsonl, line 2", "(a number of more than 4300 digits)"]),
        ("a.json", '[{"n": 1},\n{"n": ' + "9" * 5000 + "}]", ["a.json, line 2", "(a number of more than 4300 digits)"]),
        ("a.parquet", "no parquet", ["a.parquet", "not a readable Parquet file"]),
        ("a.xls", "x", ["'.xls'", ".csv, .tsv, .json, .jsonl, .parquet, .xlsx"]),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(write, name, content, phrases):
    with pytest.raises(DataError) as caught:
        read_rows(write(name, content))
    assert all(phrase in str(caught.value) for phrase in phrases), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_brings_close_names(write, tmp_path):
    write("train.jsonl", "")
    write("notes.md", "")
    with pytest.raises(DataError, match=r"trian.jsonl: found no such file. Did you mean 'train.jsonl'\?"):
        read_rows(tmp_path / "trian.jsonl")
    with pytest.raises(DataError, match=r"There is no folder \S+/nowhere. Correct the path."):
        read_rows(tmp_path / "nowhere" / "deep" / "train.jsonl")
    write("finance/train.jsonl", "")
    with pytest.raises(DataError, match=r"There is no folder \S+/finanse. Did you mean 'finance'\?"):
        read_rows(tmp_path / "finanse" / "train.jsonl")


def test_a_file_that_the_system_refuses(tmp_path):
    with pytest.raises(DataError, match=r"\.csv: cannot be read \("):
        read_rows(tmp_path / ("a" * 300 + ".csv"))


def test_a_folder_is_not_a_file(tmp_path: Path):
    with pytest.raises(DataError, match="found a folder, expected an ordinary file"):
        read_rows(tmp_path)
