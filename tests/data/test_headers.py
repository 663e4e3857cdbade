"""A title above the columns' names is said so, with the line of the names; no other file is taken for one."""

import pytest

from data_cases import LABEL
from equipoise.data import read_rows
from equipoise.errors import DataError

ROWS = [(f"good number {number}", "ab"[number % 2], str(number)) for number in range(30)]
TABLE = [("text", "label", "n"), *ROWS]


def table(sep, rows=TABLE):
    return "".join(sep.join(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "content", "line", "hint"),
    [
        ("a.csv", "Report 2024\n" + table(","), 2, "lines before it."),
        ("a.csv", "Report 2024,,\n,,\n" + table(","), 3, "lines before it."),
        ("a.csv", "Report\nby me\n\n" + table(";"), 4, 'lines before it, and say sep: ";" in the run file'),
        ("a.tsv", "\nReport\n" + table("\t"), 3, "lines before it."),
        ("a.csv", "Report\n" + table(",") + '"in\nlines",a,1\n' * 30_000, 2, "lines before it."),
    ],
)
def test_a_title_above_the_header_is_refused_with_the_line_of_the_names(load, write, name, content, line, hint):
    write(name, content)
    with pytest.raises(DataError) as caught:
        load({"s": {"path": name}}, {"t": LABEL})
    assert f"expected the columns' names. The names of the columns seem to stand in line {line}; " in str(caught.value)
    assert f"{name}, line 1: found 'Report" in str(caught.value)
    assert hint in str(caught.value)


def test_a_title_above_the_header_of_a_sheet(load, tmp_path):
    book = pytest.importorskip("openpyxl").Workbook()
    for row in [("Report",), (), *TABLE]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match=r"row 1: found 'Report', .* in row 3; remove the rows before it\."):
        load({"s": {"path": "a.xlsx"}}, {"t": LABEL})


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (table(","), ["text", "label", "n"]),
        (table(",", [("", "text", "label"), *ROWS]), ["", "text", "label"]),
        ("text\n" + "good and cheap\n" * 3, ["text"]),
        ('text\n"good, and cheap"\n"bad; and dear"\n', ["text"]),
        ("text\n" + "".join(f"good; number {number}\n" for number in range(30)), ["text"]),
    ],
)
def test_other_files_have_no_title(write, content, columns):
    assert list(read_rows(write("a.csv", content)).columns) == columns


def test_a_line_for_excel_is_said_as_what_it_is(write):
    with pytest.raises(DataError, match="a line for Excel"):
        read_rows(write("a.csv", "sep=,\n" + table(",")))
