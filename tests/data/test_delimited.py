"""CSV and TSV files whose quotation marks, delimiters and headers are not as they should be."""

import csv
import io
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.data import BadRow, Meter, read_rows, stream_rows
from equipoise.errors import DataError

HEADER = "text\tlabel\n"


def message(path):
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert len(str(caught.value)) <= 500
    return str(caught.value)


def cells(rows):
    return list(zip(*rows.columns.values(), strict=True))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # Two stray quotation marks, rows between them.
        (
            '"a\tpos\nb\tneg\nc"\tpos\npos\tneg\nd\tpos\n',
            [('"a', "pos"), ("b", "neg"), ('c"', "pos"), ("pos", "neg"), ("d", "pos")],
        ),
        ('x\tpos\n"a\tpos\nb\tpos\nc "\tpos\n', [("x", "pos"), ('"a', "pos"), ("b", "pos"), ('c "', "pos")]),
        # One that nothing closes, in front and in the middle.
        ('"a\tpos\nb\tneg\n', [('"a', "pos"), ("b", "neg")]),
        ('x\tpos\n"a" b\tpos\n5" tv\tneg\n', [("x", "pos"), ('"a" b', "pos"), ('5" tv', "neg")]),
        ('"a\tpos\n"b\tneg\n', [('"a', "pos"), ('"b', "neg")]),
        # Quoted cells that are meant.
        ('"a ""b"" c"\tpos\n', [('a "b" c', "pos")]),
        ('"a\tb"\tpos\n', [("a\tb", "pos")]),
        ('"a\nb\n\nc"\tpos\nd\tneg\n', [("a\nb\n\nc", "pos"), ("d", "neg")]),
        ('pos\t"a\r\nb"\r\nneg\tc\r\n', [("pos", "a\r\nb"), ("neg", "c")]),
        ('"a"\t"pos"\n', [("a", "pos")]),
    ],
)
def test_quotation_marks_in_tsv_files(write, content, expected):
    assert cells(read_rows(write("a.tsv", HEADER + content))) == expected


def test_numbers_show_that_rows_were_swallowed(write):
    lines = [f"text {i}\t{i / 7}\n" for i in range(20)]
    lines[5], lines[9] = '"open\t0.5\n', 'close"\t0.25\n'
    rows = read_rows(write("a.tsv", "text\tscore\n" + "".join(lines)))
    assert len(rows) == 20
    assert rows.columns["text"][5:10] == ['"open', "text 6", "text 7", "text 8", 'close"']


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        # One column: any line may be a text.
        ('text\none\n"two\nthree"\n', ["a.tsv, line 3: found a quotation mark", "on line 4", "Remove the quotation"]),
        # Neither column says which it is.
        ('text\tid\nx\ty\n"two\tu\nthree"\tv\n', ["a.tsv, line 3: found a quotation mark", "on line 4"]),
        # A row that is none, among those that were swallowed.
        ('text\tlabel\nx\tpos\n"a\tpos\nb\nc\tpos\nd"\tpos\n', ["a.tsv, line 3: found a quotation mark"]),
    ],
)
def test_quotation_marks_that_nobody_can_tell(write, content, phrases):
    text = message(write("a.tsv", content))
    assert all(phrase in text for phrase in phrases), text


def test_rows_that_a_csv_file_has_swallowed(write):
    text = message(write("a.csv", 'text,label\nx,pos\n"a,pos\nb,neg\nc",pos\ny,neg\n"d,pos\ne",neg\n'))
    assert "a.csv, line 3: found a quotation mark that opens a cell, and the next that could close it on line 5" in text
    assert "2 lines are bad: 3, 7." in text


def test_letters_in_csv_files_are_texts(write):
    content = 'text,label\nx,pos\ny,\n"Dear Sir,\nI like it",pos\n"Well, good\nor, bad\n",pos\n'
    assert read_rows(write("a.csv", content)).columns["text"][2:] == ["Dear Sir,\nI like it", "Well, good\nor, bad\n"]


def test_a_cell_of_too_many_lines(write):
    lines = "\n".join("line" for _ in range(1200))
    assert "a.csv, line 2: found a quotation mark" in message(write("a.csv", f'text\n"{lines}"\nb\n'))
    assert len(read_rows(write("a.csv", f'text\n"{lines[:4000]}"\nb\n'))) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("again", ["text,label", "\ufefftext,label", "label,text", "text ,label\u200b", '"text",label'])
def test_a_header_that_comes_again(write, name, again):
    content = f"text,label\none,a\n{again}\ntwo,b\n{again}\n"
    text = message(write(name, content.replace(",", "\t") if name == "a.tsv" else content))
    assert f"{name}, line 3: found the header again (text, label)" in text
    assert text.endswith("Delete the line. 2 lines are bad: 3, 5.")


def test_words_of_the_header_may_be_cells(write):
    assert len(read_rows(write("a.csv", "text,label\ntext,a\nlabel,label\ntext,text\n"))) == 3


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", "text|label\na|b\n", 'separated by vertical bars (|), expected commas. Say sep: "|"'),
        ("a.csv", "text;label\na;b\n", 'separated by semicolons, expected commas. Say sep: ";"'),
        ("a.csv", "text\tlabel\na\tb\n", "separated by tabs, expected commas. Say sep: tab in"),
        ("a.tsv", "text|label\na|b\n", 'separated by vertical bars (|), expected tabs. Say sep: "|"'),
        ("a.csv", "text,label\na,b\n".encode("utf-16-le"), "seems to be UTF-16, expected UTF-8 text"),
    ],
)
def test_another_delimiter_or_encoding_is_named(write, name, content, found):
    assert found in message(write(name, content))


def test_all_bad_lines_are_counted(write):
    text = message(write("a.csv", "text,label\n" + "".join(f"{i}{',b' * (i % 2)}\n" for i in range(40))))
    assert "a.csv, line 2: found 1 cells, expected 2 as in the header (text, label)." in text
    assert text.endswith("20 lines are bad: 2, 4, 6, 8, 10, ….")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize(("end", "is_cut"), [("", True), ("\n", False), ("\nb,c\n", False)])
def test_a_file_that_is_cut_off_in_its_last_line_is_said_to_be(write, name, end, is_cut):
    content = f"text,label\na,b\nsome wor{end}".replace(",", "," if name == "a.csv" else "\t")
    path = write(name, content)
    ((number, bad),) = [row for row in stream_rows(path).read(Meter()) if isinstance(row[1], BadRow)]
    for text in (message(path), f"line {number}: {bad.problem}"):
        assert "line 3: found 1 cells, expected 2 as in the header" in text
        assert ("it may be cut off, or still be written" in text) == is_cut


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
def test_byte_order_marks(write, name):
    content = {"csv": "text,label\na,b\n", "tsv": "text\tlabel\na\tb\n"}.get(name[2:], '{"text": "a", "label": "b"}\n')
    assert cells(read_rows(write(name, "\ufeff\ufeff" + content))) == [("a", "b")]


def test_very_many_columns_are_answered_at_once(write, load):
    names = [f"column {i}" for i in range(100_000)]
    started = time.perf_counter()
    assert len(read_rows(write("a.csv", f"{','.join(names)}\n{','.join('x' * 100_000)}\n")).columns) == 100_000
    assert "found column 'column 7' twice" in message(write("b.csv", ",".join([*names, "column 7"]) + "\nx\n"))
    assert "found 1 cells" in message(write("c.csv", ",".join(names) + "\nx\n"))
    with pytest.raises(DataError, match="found no column 'label'") as caught:
        load({"s": {"path": "a.csv"}}, {"t": {"source": "s", "kind": "classification", "text": "column 1"}})
    assert len(str(caught.value)) <= 500
    assert time.perf_counter() - started < 20


def test_many_open_quotes_are_read_at_once(write):
    content = (
        HEADER + "".join(f'"text {i}\tpos\n' for i in range(20_000)) + "".join(f"{i}\tneg\n" for i in range(20_000))
    )
    started = time.perf_counter()
    assert len(read_rows(write("a.tsv", content))) == 40_000
    assert time.perf_counter() - started < 20


TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
TABLE = st.integers(1, 3).flatmap(lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=6))


@given(TABLE, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, table, quoting, end):
    names = ["text", "label", "id"][: len(table[0])]
    for ending, delimiter in ((".csv", ","), (".tsv", "\t")):
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([names, *table])
        path = tmp_path_factory.getbasetemp() / f"round{ending}"
        path.write_text(file.getvalue(), encoding="utf-8", newline="")
        try:
            rows = read_rows(path)
        except DataError as error:
            # Lines that may be rows, or the header again, are refused; all others are read.
            told = str(error)
        else:
            expected = [tuple(cell or None for cell in row) for row in table]
            assert [row for row in cells(rows) if any(row)] == [row for row in expected if any(row)]
            continue
        assert "quotation mark" in told or "header again" in told or "no rows" in told


WORDS = st.text(alphabet="ab1 ", min_size=1, max_size=4).map(str.strip).filter(bool)


@given(st.lists(st.tuples(WORDS, st.sampled_from(["pos", "neg"])), min_size=3, max_size=9), st.data())
def test_stray_quotation_marks_lose_no_row(tmp_path_factory, table, data):
    """Marks at the ends of texts of a TSV file that quotes nothing: every row is there, or the file is refused."""
    table = [(text + data.draw(st.sampled_from(["", ' "', '"'])), label) for text, label in table]
    table = [(data.draw(st.sampled_from(["", "", '"'])) + text, label) for text, label in table]
    path = tmp_path_factory.getbasetemp() / "stray.tsv"
    path.write_text(HEADER + "".join(f"{text}\t{label}\n" for text, label in table), encoding="utf-8")
    with suppress(DataError):
        rows = read_rows(path)
        assert rows.columns["label"] == [label for _, label in table]
        found = [text.strip('" ') for text in rows.columns["text"]]
        assert found == [text.strip('" ') for text, _ in table]
