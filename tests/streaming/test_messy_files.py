"""Files as they come: encodings, delimiters, sheets, columns inside columns, and HTML."""

import json

import pytest

from equipoise.data import stream_rows
from equipoise.dialects import Dialect
from equipoise.errors import DataError, ModelError, OutputError, UsageError
from equipoise.streaming import Job, LocalEngine, predict_stream
from word_counter import WordCounter, write_model


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr("equipoise.predicting.base_predictor.WINDOW", 4)


@pytest.fixture
def predict(tmp_path):
    model = write_model(tmp_path / "model")

    def predict(path, dialect=None, output="out.jsonl", strict=False, **options):
        options = {
            "pair": None,
            "tasks": ["words"],
            "batch_size": 8,
            "prompts": 1,
            "text": None,
            "clean": None,
            **options,
        }
        stream = stream_rows(path, dialect or Dialect())
        output = tmp_path / output
        predict_stream(Job(stream, model, options, output, strict), LocalEngine(WordCounter(), options, strict))
        return [json.loads(line) for line in output.read_text().splitlines()] if output.suffix == ".jsonl" else output

    return predict


def test_a_semicolon_export_in_another_encoding(predict, tmp_path):
    lines = ["sep=;", "id;text", *(f"{number};'schön; größer {number}'" for number in range(11))]
    (tmp_path / "in.csv").write_text("\n".join(lines), encoding="cp1252")
    answers = predict(tmp_path / "in.csv", Dialect("cp1252", ";", "'"))
    assert [answer["text"] for answer in answers] == [f"schön; größer {number}" for number in range(11)]
    assert [answer["words"]["score"] for answer in answers] == [3] * 11


def test_bytes_of_another_encoding_name_the_option(predict, tmp_path):
    (tmp_path / "in.csv").write_text("text\nschön\nplain\n", encoding="cp1252")
    bad, good = predict(tmp_path / "in.csv")
    assert "The file seems to be cp1252: encoding: cp1252 in the run file, --encoding cp1252" in bad["error"]
    assert good["words"] == {"score": 1}
    with pytest.raises(DataError, match=r"in\.csv, line 2: found a byte that is not UTF-8"):
        predict(tmp_path / "in.csv", strict=True)


@pytest.mark.parametrize("text", ["comment.body", None])
def test_a_column_inside_a_column(predict, tmp_path, text):
    rows = [{"comment": {"body": f"one {number}"}, "text": "two words here"} for number in range(9)] + [{"comment": {}}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    *answers, last = predict(tmp_path / "in.jsonl", text=text)
    assert [answer["words"]["score"] for answer in answers] == [3 if text is None else 2] * 9
    assert answers[0]["comment"] == {"body": "one 0"}
    assert f"no column '{text or 'text'}'" in last["error"]


def test_a_column_that_is_not_there_is_named_before_the_rows_are_read(predict, tmp_path):
    (tmp_path / "in.csv").write_text("body\none\n")
    with pytest.raises(DataError, match="no column 'text'"):
        predict(tmp_path / "in.csv")
    with pytest.raises(DataError, match=r"no column 'bodi'.*Did you mean 'body'\?"):
        predict(tmp_path / "in.csv", text="bodi")
    assert predict(tmp_path / "in.csv", text="body")[0]["words"] == {"score": 1}


def test_structs_of_parquet(predict, tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [{"comment": {"body": f"one {number}"}} for number in range(9)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "in.parquet")
    answers = predict(tmp_path / "in.parquet", text="comment.body")
    assert [answer["words"]["score"] for answer in answers] == [2] * 9


def test_a_sheet_becomes_a_table(predict, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["text", "n"], *([f"some words {number}", number / 2] for number in range(9)), [None, 1]]:
        book.active.append(row)
    book.create_sheet("other").append(["text"])
    book.save(tmp_path / "in.xlsx")
    *answers, last = predict(tmp_path / "in.xlsx", Dialect(sheet="Sheet"))
    assert answers[3] == {"text": "some words 3", "n": 1.5, "words": {"score": 3}}
    assert last["error"] == "found an empty text, expected a text"
    written = predict(tmp_path / "in.xlsx", Dialect(sheet="Sheet"), "out.csv").read_text().splitlines()
    assert written[0] == "text,n,words.score,error"
    assert written[2] == "some words 1,0.5,3.0,"


def test_html_is_taken_out_of_what_is_read_not_of_what_is_repeated(predict, tmp_path):
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "<b>a</b> &amp; <br> c"}))
    assert predict(tmp_path / "in.jsonl", clean="html")[0] == {"text": "<b>a</b> &amp; <br> c", "words": {"score": 3}}
    for options in ({"clean": "xml"}, {"clean": "html", "explain": 3}):
        with pytest.raises(UsageError, match=r"^clean: found"):
            predict(tmp_path / "in.jsonl", **options)


def test_an_interrupted_call_is_not_continued_with_another_encoding(predict, tmp_path, monkeypatch):
    (tmp_path / "in.csv").write_text("text\n" + "größer\n" * 11, encoding="cp1252")
    infer, calls = WordCounter.infer, []

    def fail_in_the_third_window(*args, **options):
        calls.append(args)
        if len(calls) == 3:
            raise ModelError("stopped.")
        return infer(*args, **options)

    monkeypatch.setattr(WordCounter, "infer", fail_in_the_third_window)
    with pytest.raises(ModelError):
        predict(tmp_path / "in.csv", Dialect("cp1252"))
    monkeypatch.setattr(WordCounter, "infer", infer)
    with pytest.raises(OutputError, match=r'encoding: "cp1252" \(now "cp1250"\)'):
        predict(tmp_path / "in.csv", Dialect("cp1250"))
    assert len(predict(tmp_path / "in.csv", Dialect("cp1252"))) == 11
