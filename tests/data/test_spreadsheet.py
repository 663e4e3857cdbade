"""XLSX workbooks."""

import sys
import zipfile
from datetime import date, datetime

import pytest

from equipoise.data import Meter, read_rows, stream_rows
from equipoise.dialects import Dialect
from equipoise.errors import DataError, UsageError

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def book(tmp_path):
    """Write sheets of rows to a workbook."""

    def book(name="a.xlsx", **sheets):
        workbook = openpyxl.Workbook()
        workbook.remove(workbook.active)
        for title, rows in sheets.items():
            sheet = workbook.create_sheet(title)
            for row in rows:
                sheet.append(row)
        workbook.save(tmp_path / name)
        return tmp_path / name

    return book


def streamed(path, dialect=None):
    return list(stream_rows(path, dialect or Dialect()).read(Meter()))


ROWS = [
    [None, None],
    ["text", None, "score", 2024, "when"],
    ["good", "x", 1.5, "007", date(2024, 5, 1)],
    [],
    ["bad", None, 2, None, datetime(2024, 5, 1, 12, 30)],
]
COLUMNS = {
    "text": ["good", "bad"],
    "score": [1.5, 2],
    "2024": ["007", None],
    "when": ["2024-05-01", "2024-05-01T12:30:00"],
}


def test_a_sheet_is_read_as_it_stands(book):
    path = book(first=ROWS, empty=[])
    rows = read_rows(path)
    assert rows.columns == COLUMNS
    assert isinstance(rows.columns["score"][1], int)
    assert rows.where(1) == f"{path}, row 5"
    assert streamed(path) == [
        (number, dict(zip(COLUMNS, own, strict=True)))
        for number, own in zip((3, 5), zip(*COLUMNS.values(), strict=True), strict=True)
    ]
    assert stream_rows(path).columns == tuple(COLUMNS)


def test_of_several_sheets_one_is_named(book):
    path = book(Reviews=[["text"], ["a"]], More=[["text"], ["b"]])
    with pytest.raises(
        DataError, match=r"found 2 sheets with rows: 'Reviews', 'More'; .*sheet: Reviews in the run file"
    ):
        read_rows(path)
    assert read_rows(path, Dialect(sheet="More")).columns == {"text": ["b"]}
    with pytest.raises(DataError, match=r"found no sheet 'Moer'. Did you mean 'More'\?"):
        streamed(path, Dialect(sheet="Moer"))


def test_a_hidden_sheet_is_read_where_it_is_named(book):
    path = book(Reviews=[["text"], ["a"]], Lists=[["text"], ["b"]])
    workbook = openpyxl.load_workbook(path)
    workbook["Lists"].sheet_state = "hidden"
    workbook.save(path)
    assert read_rows(path).columns == {"text": ["a"]}
    assert read_rows(path, Dialect(sheet="Lists")).columns == {"text": ["b"]}


def test_a_workbook_is_trained_on(book, load):
    rows = [
        ["text", "score", "label"],
        *([f"text {n}", f"0,{n % 7}" if n % 2 else n / 40, "ab"[n % 2]] for n in range(40)),
    ]
    book(only=rows)
    score = {"source": "s", "kind": "regression", "label": "score", "range": [0, 1]}
    table = load({"s": {"path": "a.xlsx", "decimal": ","}}, {"score": score})
    by_text = {row["text"]: row["label:score"] for split in table.splits.values() for row in split}
    assert [by_text[f"text {n}"] for n in range(4)] == [0.0, 0.1, 0.05, 0.3]


@pytest.mark.parametrize(
    ("sheets", "phrase"),
    [
        ({"one": []}, "found no sheet with rows"),
        ({"one": [["text", "label"]]}, "found a header and no rows"),
        ({"one": [["text", "text"], ["a", "b"]]}, "found column 'text' twice"),
    ],
)
def test_sheets_that_hold_no_table(book, sheets, phrase):
    with pytest.raises(DataError, match=phrase):
        read_rows(book(**sheets))
    with pytest.raises(DataError, match=phrase):
        streamed(book(**sheets))


def test_what_is_no_workbook_is_refused(write, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        archive.writestr("a.txt", "x")
    for path in (write("a.xlsx", "x"), tmp_path / "b.xlsx"):
        for read in (read_rows, streamed):
            with pytest.raises(DataError, match=r"not a readable \.xlsx workbook"):
                read(path)
    with pytest.raises(DataError, match="the file is empty"):
        read_rows(write("c.xlsx", b""))


def test_a_workbook_that_grows_when_it_is_unpacked_is_refused(book, monkeypatch):
    path = book(one=[["text"], *([f"{'a' * 1000} {n}"] for n in range(100))])
    monkeypatch.setattr("equipoise.data.spreadsheet._LARGEST", 50_000)
    with pytest.raises(DataError, match=r"bytes in \d+ parts when it is unpacked, expected 50,000"):
        read_rows(path)
    monkeypatch.setattr("equipoise.data.spreadsheet._LARGEST", 10**9)
    monkeypatch.setattr("equipoise.data.spreadsheet._ROWS", 50)
    with pytest.raises(DataError, match="found row 51, expected 50 at most"):
        read_rows(path)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_entities_in_xml_are_not_expanded(book, tmp_path, part):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(book(one=[["text"], ["a"]])) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name == part:
                head, start, rest = content.partition("?>") if content.startswith("<?xml") else ("", "", content)
                content = head + start + bomb + rest
            new.writestr(name, content)
    with pytest.raises(DataError, match=r"not a readable \.xlsx workbook"):
        read_rows(path)


def test_rows_at_places_that_no_sheet_has_end_at_the_limit(book, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.data.spreadsheet._ROWS", 1000)
    path = tmp_path / "far.xlsx"
    with zipfile.ZipFile(book(one=[["text"], ["a"]])) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(
                name, old.read(name).replace(b'<row r="2"', b'<row r="999999999"').replace(b'"A2"', b'"A999999999"')
            )
    with pytest.raises(DataError, match="found row 1,001, expected 1,000 at most"):
        read_rows(path)


@pytest.mark.parametrize("package", ["openpyxl", "defusedxml"])
def test_a_missing_package_is_one_message(book, monkeypatch, package):
    path = book(one=[["text"], ["a"]])
    monkeypatch.setitem(sys.modules, package, None)
    way_out = r"Install it \(pip install 'equipoise\[xlsx\]'\)"
    with pytest.raises(UsageError, match=rf"\.xlsx: {package} is not installed, and \.xlsx files.*{way_out}"):
        read_rows(path)
