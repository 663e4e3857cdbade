"""Files of any size: formats, bad rows, interruptions, workers."""

import csv
import gzip
import json
import multiprocessing
import os
import signal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.data import stream_rows, stream_texts
from equipoise.errors import DataError, ModelError, OutputError, UsageError
from equipoise.kinds import Conformity
from equipoise.streaming import (
    Job,
    LocalEngine,
    WorkerEngine,
    check_predictions_file,
    infer_schema_columns,
    partial_output,
    predict_stream,
)
from equipoise.streaming.columns import Column
from word_counter import TASKS, WordCounter, load, write_model

ROWS = 23
FORMATS = (".jsonl", ".csv", ".tsv", ".parquet")


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    monkeypatch.setattr("equipoise.predicting.base_predictor.WINDOW", 4)


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


@pytest.fixture
def table(tmp_path):
    """A CSV file with a bad row in each of the first two windows."""
    path = tmp_path / "in.csv"
    lines = [f'{number},"row {number}, {"so " * (number % 9)}",x' for number in range(ROWS)]
    lines[2], lines[5] = "2,,x", "5,row"
    path.write_text("\n".join(["id,text,error", *lines]) + "\n")
    return path


def predict(path, model, output, workers=None, strict=False, overwrite=False, **options):
    options = {"pair": None, "tasks": None, "batch_size": 8, "prompts": 1, **options}
    engine = WorkerEngine(workers, load, options, strict) if workers else LocalEngine(WordCounter(), options, strict)
    predict_stream(Job(stream_rows(path), model, options, output, strict, overwrite), engine)
    return output.read_bytes()


def beside(output):
    return sorted(path.name for path in output.parent.iterdir() if "partial" in path.name or path.name[0] == ".")


def test_columns_and_order_are_kept_in_every_format(table, model, tmp_path, capsys):
    lines = predict(table, model, tmp_path / "out.jsonl").decode().splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["id"] for answer in answers] == [str(number) for number in range(ROWS)]
    assert answers[2] == {
        "id": "2",
        "text": None,
        "given": {"error": "x"},
        "error": "found an empty text, expected a text",
    }
    assert answers[5]["error"].startswith("found 2 cells, expected 3 as in the header (id, text, error).")
    assert answers[6].keys() == {"id", "text", "given", "words", "tone"}
    err = capsys.readouterr().err
    assert "2 of 23 rows have an error in the place of an answer: " in err
    assert "in.csv, line 4: found an empty text, expected a text … and 1 other kind of problem." in err
    assert "of 21 texts are longer than 5 tokens and were cut; `long_texts: windows` at training reads all" in err
    names = ["id", "text", "given.error", "words.score", "tone.label", "tone.probability"]
    names += ["tone.probabilities.bad", "tone.probabilities.good", "error"]
    for ending, delimiter in ((".csv", ","), (".tsv", "\t")):
        predict(table, model, tmp_path / f"out{ending}")
        with (tmp_path / f"out{ending}").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
        assert list(rows[0]) == names
        check_rows(rows, answers, float)
    predict(table, model, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == names
    check_rows(found.to_pylist(), answers, lambda cell: cell)
    assert beside(tmp_path / "out.csv") == []


def check_rows(rows, answers, number):
    assert len(rows) == len(answers)
    for row, answer in zip(rows, answers, strict=True):
        assert (row["id"], row["text"] or None) == (answer["id"], answer["text"])
        assert (row["error"] or None) == answer.get("error")
        if "tone" in answer:
            assert number(row["words.score"]) == answer["words"]["score"]
            assert row["tone.label"] == answer["tone"]["label"]
            probabilities = answer["tone"]["probabilities"]
            assert number(row["tone.probability"]) == max(probabilities.values())
            assert number(row["tone.probabilities.bad"]) == probabilities["bad"]


def test_types_of_parquet_and_of_json_are_kept(model, tmp_path):
    given = pa.table(
        {
            "text": ["a", "b b"],
            "day": pa.array([1, None], pa.date32()),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "list": [[1], []],
        }
    )
    pq.write_table(given, tmp_path / "in.parquet")
    predict(tmp_path / "in.parquet", model, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(["text", "day", "list"]).cast(given.select(["text", "day", "list"]).schema).to_pylist() == (
        given.select(["text", "day", "list"]).to_pylist()
    )
    assert found.schema.field("day").type == pa.date32()
    assert found["kind"].to_pylist() == ["x", "y"]
    rows = [{"text": f"t {n}", "n": n} for n in range(9)] + [{"text": "t", "n": 0.5, "late": [1], "b": True}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    predict(tmp_path / "in.jsonl", model, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names[:4] == ["text", "n", "late", "b"]
    assert [str(found.schema.field(name).type) for name in ("n", "late", "b")] == ["double", "string", "bool"]
    assert found.to_pylist()[9]["late"] == "[1]"


@pytest.mark.parametrize("rows", [['so, "so"', 5, 0.5, "b"], [5, None, "b"]])
def test_numbers_among_texts_are_texts_in_a_table(model, tmp_path, rows):
    (tmp_path / "in.jsonl").write_text("".join(f"{json.dumps({'text': text})}\n" for text in rows))
    predict(tmp_path / "in.jsonl", model, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["text"] for row in found] == ["" if text is None else str(text) for text in rows]
    assert [not row["error"] for row in found] == [text is not None for text in rows]
    predict(tmp_path / "in.jsonl", model, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["text"].to_pylist() == [
        None if text is None else str(text) for text in rows
    ]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".txt", ".tsv"])
def test_packed_files_are_read_as_they_are(model, tmp_path, ending):
    content = {".jsonl": '{"text": "a"}\n{"text": "b"}\n', ".txt": "a\nb\n"}.get(ending, "text\na\nb\n")
    (tmp_path / f"in{ending}").write_text(content)
    (tmp_path / f"in{ending}.gz").write_bytes(gzip.compress(content.encode()))
    plain = predict(tmp_path / f"in{ending}", model, tmp_path / "out.jsonl")
    assert len(plain.splitlines()) == 2
    assert predict(tmp_path / f"in{ending}.gz", model, tmp_path / "out.jsonl") == plain


def test_a_packed_file_that_is_none_says_so(model, tmp_path):
    (tmp_path / "in.txt.gz").write_text("a\n")
    with pytest.raises(DataError, match=r"in.txt.gz: cannot be read .* read as packed because it ends in .gz"):
        predict(tmp_path / "in.txt.gz", model, tmp_path / "out.jsonl")


@pytest.mark.parametrize("ending", [".jsonl.gz", ".csv.gz", ".xlsx"])
def test_an_ending_that_promises_another_format_is_refused(tmp_path, ending):
    with pytest.raises(UsageError, match=r"found the ending \.(gz|xlsx), expected .jsonl, .csv, .tsv or .parquet"):
        check_predictions_file(tmp_path / f"out{ending}", [])


def test_no_two_columns_have_one_name():
    columns = infer_schema_columns(["tone", "given.tone", "error"], [Column("tone", ("tone",))])
    assert [column.name for column in columns] == ["given.given.tone", "given.tone", "given.error"]
    assert [column.path for column in columns] == [("tone",), ("given.tone",), ("error",)]


def test_where_all_rows_are_bad_nothing_is_written(model, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("\n" * 9)
    with pytest.raises(DataError, match=r"in.txt, all 9 rows: found an empty text"):
        predict(tmp_path / "in.txt", model, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    assert beside(tmp_path / "out.jsonl") == []
    assert "holds the answers" not in capsys.readouterr().err


def test_strictly_nothing_is_written_where_a_row_is_bad(table, model, tmp_path):
    with pytest.raises(DataError, match=r"in.csv, line 4: found an empty text(.|\n)*2 of 23 rows cannot be answered"):
        predict(table, model, tmp_path / "out.csv", strict=True)
    assert beside(tmp_path / "out.csv") == []
    assert not (tmp_path / "out.csv").exists()


def in_fork(action):
    """Run something in a fork; return the signal by which it ended, 0 where it did not."""
    process = os.fork()
    if process == 0:
        try:
            action()
        finally:
            os._exit(0)
    return -min(0, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def die_at(moment):
    """Kill this process at its n-th change on the disk."""
    left = [moment]

    def strike(function):
        def called(*arguments):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return called

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, strike(getattr(os, name)))


@pytest.mark.parametrize("ending", FORMATS)
def test_killed_at_any_moment_it_ends_in_the_same_bytes(table, model, tmp_path, ending, capsys):
    output = tmp_path / f"out{ending}"
    whole = predict(table, model, output)
    continued = 0
    for moment in range(0, 60, 3):
        output.unlink()
        killed = in_fork(lambda moment=moment: (die_at(moment), predict(table, model, output)))
        capsys.readouterr()
        assert predict(table, model, output) == whole
        continued += "continues behind" in capsys.readouterr().err
        assert beside(output) == []
        if not killed:
            break
    assert not killed
    assert continued >= 3


def interrupt(table, model, output, monkeypatch, windows=2, **options):
    """Stop after some windows, as a kill does."""
    appended = partial_output.PartialOutput.append
    left = [windows + 1]

    def append(self, content, progress):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        appended(self, content, progress)

    with monkeypatch.context() as patch:
        patch.setattr(partial_output.PartialOutput, "append", append)
        with pytest.raises(KeyboardInterrupt):
            predict(table, model, output, **options)


def test_what_was_interrupted_is_not_continued_with_anything_else(table, model, tmp_path, monkeypatch, capsys):
    output = tmp_path / "out.jsonl"
    whole = predict(table, model, output)
    interrupt(table, model, output, monkeypatch)
    assert output.read_bytes() == whole  # what was there stays until the new one is whole
    assert "out.jsonl.partial: holds the answers for 8 rows; call again to continue." in capsys.readouterr().err
    with pytest.raises(OutputError, match=r"started with batch_size: 8 \(now 3\); call again .* --overwrite"):
        predict(table, model, output, batch_size=3)
    table.write_text(table.read_text() + "23,more,x\n")
    with pytest.raises(OutputError, match="answers for 8 rows, started with another input"):
        predict(table, model, output)
    (model / "equipoise.json").write_text("{} ")
    with pytest.raises(OutputError, match="another input, another model"):
        predict(table, model, output)
    assert len(predict(table, model, output, overwrite=True).splitlines()) == ROWS + 1
    assert beside(output) == []


def test_bytes_behind_the_record_are_cut_off(table, model, tmp_path, monkeypatch):
    output = tmp_path / "out.csv"
    whole = predict(table, model, output)
    interrupt(table, model, output, monkeypatch)
    with (tmp_path / "out.csv.partial").open("ab") as file:
        file.write(b'9,"half a ro')
    assert predict(table, model, output) == whole


def test_two_calls_do_not_write_one_output(table, model, tmp_path):
    from equipoise.locks import LockedError, hold

    with hold(tmp_path / "out.jsonl.partial.lock", "out"), pytest.raises(LockedError, match="is writing here"):
        predict(table, model, tmp_path / "out.jsonl")


def test_the_number_of_workers_changes_no_byte(table, model, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.streaming.engine.choose_window", lambda tasks: 4)
    one, three = (predict(table, model, tmp_path / f"{count}.csv", workers=count) for count in (1, 3))
    assert one == three == predict(table, model, tmp_path / "here.csv")


def test_a_worker_that_dies_ends_in_a_message(model, tmp_path):
    (tmp_path / "in.txt").write_text("fine\n" * 9 + "die\n")
    with pytest.raises(ModelError, match="a worker process has ended before its work was done"):
        predict(tmp_path / "in.txt", model, tmp_path / "out.jsonl", workers=2)
    assert multiprocessing.active_children() == []


def test_answers_replace_answers_and_nothing_else(table, model, tmp_path):
    for ending in FORMATS:
        output = tmp_path / f"out{ending}"
        check_predictions_file(output, [])
        predict(table, model, output)
        check_predictions_file(output, [("FILE", table)])
        with pytest.raises(OutputError, match="is the input FILE"):
            check_predictions_file(output, [("FILE", output)])
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    for other in (table, tmp_path / "other.parquet"):
        table.write_text("a,b\n1,2\n")
        with pytest.raises(OutputError, match="does not hold predictions"):
            check_predictions_file(other, [])
    (tmp_path / "bad first.jsonl").write_text(
        '{"text": "", "error": "found"}\n{"text": "a", "tone": {"label": "good"}}\n'
    )
    check_predictions_file(tmp_path / "bad first.jsonl", [])
    (tmp_path / "log.jsonl").write_text('{"error": "found"}\n{"error": "found"}\n')
    with pytest.raises(OutputError, match="does not hold predictions"):
        check_predictions_file(tmp_path / "log.jsonl", [])


def test_texts_are_answered_as_they_are_given(model, tmp_path):
    options = {"pair": "film", "tasks": ["towards"]}
    job = Job(stream_texts(["good", "bad"]), model, options, tmp_path / "out.csv", strict=True)
    predict_stream(job, LocalEngine(WordCounter(), options, strict=True))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("text,pair,towards.label,towards.probability,")
    assert lines[1].startswith("good,film,bad,")


def test_unsure_answers_have_columns_of_their_own(table, model, tmp_path, monkeypatch):
    calibrated = TASKS["tone"].replace(
        conformity=Conformity.of(dict.fromkeys(("lac", "aps"), np.array([[0.1], [0.5]])))
    )
    monkeypatch.setitem(TASKS, "tone", calibrated)
    predict(table, model, tmp_path / "out.csv", abstain=0.8, tasks=["tone"])
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["error"]]
    unsure = [row for row in rows if row["tone.unsure"] == "true"]
    assert 0 < len(unsure) < len(rows)
    assert {row["tone.label"] for row in unsure} == {""}
    assert {row["tone.best"] for row in unsure} <= {"good", "bad"}
