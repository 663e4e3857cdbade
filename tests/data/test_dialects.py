"""Files in any encoding and with any delimiter are read as they were written, as a whole and row by row."""

import csv
import io
import random
import tracemalloc
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.config import SourceConfig
from equipoise.data import BadRow, Meter, detect_encoding, read_rows, stream_lines, stream_rows
from equipoise.dialects import Dialect
from equipoise.errors import DataError, EquipoiseWarning, UsageError

ENCODINGS = ("utf-8", "cp1252", "cp1250", "latin-1", "utf-16", "utf-16-le", "utf-32", "mac-roman", "cp932", "gb18030")
CELLS = st.text(st.sampled_from("ab é0\n\r;,|\t\"'"), max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dialects")


def cells(rows):
    return list(zip(*rows.columns.values(), strict=True))


def streamed(path, dialect):
    return list(stream_rows(path, dialect).read(Meter()))


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from(ENCODINGS),
    st.sampled_from(";,|\t:"),
    st.sampled_from("\"'"),
    st.sampled_from((".csv", ".tsv")),
)
def test_what_the_csv_module_writes_is_read_back(folder, rows, encoding, sep, quotechar, ending):
    rows = [tuple(cell.replace("é", "e") if encoding == "cp932" else cell for cell in row) for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sep, quotechar=quotechar, quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second"), *rows])
    path = folder / f"a{ending}"
    path.write_bytes(text.getvalue().encode(encoding))
    dialect = SourceConfig(path=path, encoding=encoding, sep=sep, quotechar=quotechar).dialect
    try:
        whole = read_rows(path, dialect)
    except DataError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert any(phrase in refused for phrase in ("seems to be rows", "the header again"))
        return
    assert cells(whole) == [(first or None, second or None) for first, second in rows]
    assert [(number, tuple(row.values())) for number, row in streamed(path, dialect)] == list(
        zip(whole.numbers, cells(whole), strict=True)
    )


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=5))
def test_texts_in_utf_16_are_read_line_by_line(texts):
    texts = [text.replace("\n", " ").replace("\r", " ") for text in texts]
    stream = stream_lines(io.BytesIO("\n".join(["begin", *texts, "end"]).encode("utf-16")), "input", Dialect("utf-16"))
    assert [text for _, text in stream.read(Meter())] == ["begin", *texts, "end"]


def test_excels_line_is_left_out_where_the_delimiter_is_stated(write):
    path = write("a.csv", "sep=;\r\ntext;label\r\nx;a\r\n")
    with pytest.raises(DataError, match='say sep: ";" in the run file, --sep ";" for predict'):
        read_rows(path)
    rows = read_rows(path, Dialect(sep=";"))
    assert (rows.columns, list(rows.numbers)) == ({"text": ["x"], "label": ["a"]}, [3])
    assert streamed(path, Dialect(sep=";")) == [(3, {"text": "x", "label": "a"})]


def test_quotation_marks_can_be_plain_characters(write):
    path = write("a.csv", 'text,label\n"x" y,a\n5" disk,b\n')
    with pytest.raises(DataError, match=r"broken cell.*quotechar: none in the run file"):
        read_rows(path)
    plain = Dialect(quotechar="none")
    assert read_rows(path, plain).columns["text"] == ['"x" y', '5" disk']
    assert [row["text"] for _, row in streamed(path, plain)] == ['"x" y', '5" disk']


@pytest.mark.parametrize(
    ("text", "encoding", "detected"),
    [
        ("L’été dernier, c’était génial… 5 €", "cp1252", "cp1252"),
        ("Die Lieferung war pünktlich, aber größer", "latin-1", "cp1252"),
        ("Příliš žluťoučký kůň", "cp1250", "cp1250"),
        ("Çok güzel bir ürün, ığüşöç", "cp1254", "cp1254"),
        ("L’été dernier, c’était génial", "mac-roman", "mac_roman"),
        ("Die Lieferung war pünktlich", "cp850", "cp850"),
        ("Отличный товар, очень доволен покупкой", "cp1251", "cp1251"),
        ("とても良い商品です。満足しています。", "cp932", "cp932"),
        ("hello wörld", "utf-16", "utf-16"),
        ("hello wörld", "utf-16-le", "utf-16-le"),
        ("hello wörld", "utf-16-be", "utf-16-be"),
        ("hello wörld", "utf-8", "utf-8"),
        ("hello", "ascii", "utf-8"),
    ],
)
def test_encodings_are_detected_and_the_message_names_the_key(write, text, encoding, detected):
    content = f"text,label\n{text.replace(',', ' ')},a\n".encode(encoding)
    assert detect_encoding(content) == detected
    path = write("a.csv", content)
    if detected != "utf-8":
        with pytest.raises(DataError, match=rf"encoding: {detected} in the run file, --encoding {detected}"):
            read_rows(path)
        assert read_rows(path, Dialect(encoding)).columns["text"] == [text.replace(",", " ")]


def test_a_file_of_utf_8_with_one_bad_line_is_not_said_to_be_another(write):
    path = write("a.csv", ("text\n" + "größer, schöner\n".replace(",", "") * 9).encode() + b"caf\xe9\n")
    with pytest.raises(DataError, match=r"line 11: found a byte that is not UTF-8 \(0xe9\).*Save the file as UTF-8"):
        read_rows(path)


def test_what_no_codec_can_read_is_named_by_line(write):
    path = write("a.csv", b"text,label\nx,a\ncaf\x81,b\n")
    with pytest.raises(DataError, match=r"line 3: found a byte that is not cp1252 \(0x81\)"):
        read_rows(path, Dialect("cp1252"))
    (_, good), (number, bad) = streamed(path, Dialect("cp1252"))
    assert (good, number) == ({"text": "x", "label": "a"}, 3)
    assert isinstance(bad, BadRow)
    assert bad.problem.startswith("found a byte that is not cp1252 (0x81)")
    cut = write("b.csv", "text\nabc\n".encode("utf-16")[:-1])
    with pytest.raises(DataError):
        read_rows(cut, Dialect("utf-16"))
    with pytest.raises(DataError, match=r"b\.csv: cannot be read"):
        streamed(cut, Dialect("utf-16"))


@pytest.mark.parametrize(("written", "seems"), [("utf-8", "utf-8"), ("cp1252", "cp1252")])
@pytest.mark.parametrize("stated", ["utf-16", "utf-16-le", "utf-32"])
def test_one_byte_a_character_is_never_read_as_two_or_four(write, written, seems, stated):
    path = write("a.csv", "text,label\nschöner größer,a\n".encode(written))
    for read in (read_rows, streamed):
        with pytest.raises(
            DataError, match=f"found characters of one byte, expected {stated} text.*seems to be {seems}"
        ):
            read(path, Dialect(stated))


def test_utf_8_that_is_read_as_something_else_is_said(write):
    path = write("a.csv", "text\ngrößer\n")
    with pytest.warns(EquipoiseWarning, match="is read as cp1252, as you say, but all of it is valid UTF-8"):
        assert read_rows(path, Dialect("cp1252")).columns["text"] == ["grÃ¶ÃŸer"]
    with warnings.catch_warnings(action="error"):
        read_rows(path, Dialect("utf-8"))
        read_rows(write("b.csv", "text\ngrößer\n".encode("utf-16")), Dialect("utf-16"))


@pytest.mark.parametrize(
    ("name", "dialect", "phrase"),
    [
        ("a.csv", Dialect(sheet="x"), "'sheet' goes with .xlsx, found .csv"),
        ("a.jsonl", Dialect(sep=";"), "'sep' goes with .csv, .tsv, found .jsonl"),
        ("a.txt", Dialect(quotechar="'"), "'quotechar' goes with .csv, .tsv, found .txt"),
        ("a.csv.gz", Dialect(sheet="x"), "found .csv"),
    ],
)
def test_what_a_file_does_not_have_is_refused(write, name, dialect, phrase):
    with pytest.raises(UsageError, match=phrase):
        stream_rows(write(name, "text\nx\n"), dialect)


def test_a_large_file_in_another_encoding_is_read_in_constant_memory(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", encoding="cp1252", newline="") as file:
        file.write("text;n\n")
        file.writelines(f"'{'größer; ' * 20}';{number}\n" for number in range(20_000))
    tracemalloc.start()
    count = sum(1 for _ in stream_rows(path, Dialect("cp1252", ";", "'")).read(Meter()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert path.stat().st_size > 3_000_000
    assert peak < 1_500_000


PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\nstream\n"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json"])
@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", PDF, b"PK\x03\x04"], ids=["png", "pdf", "xlsx"])
def test_a_binary_file_is_called_so_where_it_is_to_be_trained(write, name, head):
    # Bytes that are zero stand at even places alone, as in UTF-16, but they are few.
    content = (byte or at % 2 for at, byte in enumerate(random.Random(0).randbytes(30_000)))
    path = write(name, head + bytes(content))
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert (
        str(caught.value) == f"{path}: found bytes that are no text in any known encoding; is it another kind of file?"
    )


def test_text_in_utf_16_is_no_binary_file(write):
    path = write("a.csv", "text,label\n".encode("utf-16-le") + "".join("这是一个好产品,好\n" * 50).encode("utf-16-le"))
    with pytest.raises(DataError, match="utf-16"):
        read_rows(path)


def test_a_binary_file_is_called_so_before_its_separator_is_guessed(write):
    path = write("a.csv", random.Random(0).randbytes(3000).replace(b",", b";"))
    with pytest.raises(DataError, match="no text in any known encoding"):
        streamed(path, Dialect())
