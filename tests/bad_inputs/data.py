"""Data files that cannot be read, or do not hold what the run file says."""

import io
import json
import os
from collections.abc import Callable

import pyarrow
import pyarrow.parquet

from .case import TRAIN, Case, World

_HEAD = "text,score,label,aspect\n"
_ROW = "a good film,1,pos,film\na bad film,0,neg,film\n"


def _file(name: str, file: str, content: str | bytes, words: str, *overrides: str) -> Case:
    options = [part for override in (f"sources.s.path={file}", *overrides) for part in ("--set", override)]
    return Case("data", name, words, (*TRAIN, *options), lambda world: world.write(file, content))


def _csv(name: str, rows: str, words: str, *overrides: str) -> Case:
    return _file(name, "bad.csv", _HEAD + _ROW + rows, words, *overrides)


def _made(
    name: str, make: Callable[[World], object], words: str, path: str = "bad.csv", *overrides: str, code: int = 1
) -> Case:
    options = [part for override in (f"sources.s.path={path}", *overrides) for part in ("--set", override)]
    return Case("data", name, words, (*TRAIN, *options), make, code)


def _parquet(columns: list[tuple[str, list]]) -> bytes:
    file = io.BytesIO()
    arrays = [pyarrow.array(values) for _, values in columns]
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, [name for name, _ in columns]), file)
    return file.getvalue()


def _pipe(world: World) -> None:
    os.mkfifo(world.folder / "bad.csv")


def _loop(world: World) -> None:
    (world.folder / "bad.csv").symlink_to("bad.csv")


_JSON_ROWS = [{"text": f"text {n}", "score": n % 2, "label": "ab"[n % 2]} for n in range(20)]

CASES = [
    _file("an empty file", "bad.csv", "", "bad.csv: the file is empty"),
    _file("a header alone", "bad.csv", _HEAD, "bad.csv: found a header and no rows"),
    _file("an unknown ending", "bad.xls", "x", "bad.xls: found the ending '.xls', expected one of .csv"),
    _file("no UTF-8", "bad.csv", _HEAD.encode() + b"caf\xe9,1,pos,x\n", "line 2: found a byte that is not UTF-8"),
    _file("semicolons", "bad.csv", _HEAD.replace(",", ";") + "a;1;p;x\n", "seems to be separated by semicolons"),
    _file("tabs in .csv", "bad.csv", _HEAD.replace(",", "\t") + "a\t1\tp\tx\n", "seems to be separated by tabs"),
    _file("bars in .csv", "bad.csv", _HEAD.replace(",", "|") + "a|1|p|x\n", "bad.csv, line 1"),
    _file("a line for Excel", "bad.csv", "sep=,\n" + _HEAD, "line 1: found 'sep=,', a line for Excel"),
    _file("a column twice", "bad.csv", "text,text,score,label\na,b,1,p\n", "found column 'text' twice"),
    _csv("too few cells", "short,1\n", "line 4: found 2 cells, expected 4"),
    _csv("too many cells", "a, long, one, with, commas,1\n", "line 4: found"),
    _csv("an open quote", '"never closed,1,pos,x\n', "line 4: found"),
    _csv("no column of a label", "", "found no column 'lable'", "tasks.polarity.label=lable"),
    _csv("no column of a text", "", "found no column 'txet'", "tasks.polarity.text=txet"),
    _csv("no column of a group", "", "found no column 'author'", "sources.s.group=author"),
    _csv("a score that is no number", "text,high,pos,x\n", "line 4, column 'score' (task 'score'): found 'high'"),
    _csv("a score that is infinite", "text,inf,pos,x\n", "line 4, column 'score' (task 'score'): found 'inf'"),
    _csv("a score of NaN", "text,nan,pos,x\n", "line 4, column 'score' (task 'score'): found 'nan'"),
    _csv("a score out of range", "text,3,pos,x\n", "expected a number from 0 to 1"),
    _csv("an unlisted class", "text,1,grand,x\n", "found class 'grand'", "tasks.polarity.classes=[pos, neg]"),
    _csv("a class of a whole text", f"text,1,{'x' * 1001},x\n", "found a class of 1,001 characters"),
    _csv("a class called nan", "text,1,nan,x\n", "found 'nan'"),
    _file("texts that are all empty", "bad.csv", f"{_HEAD} ,1,pos,x\n", "line 2, column 'text'"),
    _file("pairs all empty", "bad.csv", f"{_HEAD}a,1,pos,\n", "line 2, column 'aspect'", "tasks.polarity.pair=aspect"),
    _made("one class alone", lambda world: None, "polarity", "data.csv", "tasks.polarity.label=aspect"),
    _csv(
        "a scale of texts without a list",
        "",
        "found 'pos', expected a number; classes that are no numbers",
        "tasks.polarity.kind=ordinal",
    ),
    _csv(
        "a class beside the scale",
        "text,1,grand,x\n",
        "line 4, column 'label' (task 'polarity'): found class 'grand', expected one of 'neg', 'pos'",
        *("tasks.polarity.kind=ordinal", "tasks.polarity.classes=[neg, pos]"),
    ),
    _made(
        "a metric of a class that is not there",
        lambda world: None,
        "tasks.polarity: 'metric' names the class 'post', which the task does not have. Did you mean 'pos'?",
        *("data.csv", "tasks.polarity.metric={f1: post}"),
        code=2,
    ),
    _made(
        "one class of a scale alone",
        lambda world: None,
        "every training label is 'film', expected two classes or more",
        "data.csv",
        *("tasks.polarity.kind=ordinal", "tasks.polarity.label=aspect", "tasks.polarity.classes=[film, plot]"),
    ),
    _csv("too few rows", "", "source 's': test is empty: found 2 rows"),
    _file("a cell of 100,000 letters", "bad.csv", _HEAD + _ROW + f"a,{'x' * 100_000},pos,x\n", "line 4, column 'sc"),
    _file("a thousand bad cells", "bad.csv", _HEAD + _ROW + "a,x,pos,x\n" * 1000, "more.\nCorrect the cells"),
    _file("no JSON", "bad.jsonl", "{text: a}\n", "bad.jsonl, line 1: found '{text: a}', expected one JSON object"),
    _file("a list a line", "bad.jsonl", '["a"]\n', "bad.jsonl, line 1: found"),
    _file("a key twice", "bad.jsonl", '{"text": "a", "text": "b"}\n', "bad.jsonl, line 1: found"),
    _file("half a character", "bad.jsonl", '{"text": "\\ud83d"}\n', "found half of a surrogate pair"),
    _file("deep JSON", "bad.jsonl", "[" * 100_000, "bad.jsonl, line 1: found"),
    _file("a long number", "bad.jsonl", '{"score": ' + "9" * 10_000 + "}", "bad.jsonl, line 1: found"),
    _file("a JSON text", "bad.json", '"text"', "bad.json, line 1: found"),
    _file("a broken array", "bad.json", '[{"text": "a"}', "bad.json, line 1: not valid JSON"),
    _file("numbers in an array", "bad.json", "[1, 2]", "bad.json, row 1: found '1', expected one JSON object"),
    _file(
        "a label of two values",
        "bad.jsonl",
        "\n".join(json.dumps(row) for row in [*_JSON_ROWS, {"text": "a", "score": [1], "label": "a"}]),
        "line 21, column 'score' (task 'score'): found [1], expected one value",
    ),
    _file("a list as text", "bad.csv", _HEAD + _ROW + "x,1,\"['pos']\",x\n", "line 4, column 'label'"),
    _file("no Parquet", "bad.parquet", b"PAR1", "bad.parquet: not a readable Parquet file"),
    _file(
        "Parquet columns that repeat",
        "bad.parquet",
        _parquet([("text", ["a", "b"]), ("score", [0, 1]), ("score", [0, 1]), ("label", ["a", "b"])]),
        "bad.parquet: found column 'score' twice",
    ),
    _made("a folder without files", lambda world: (world.folder / "bad").mkdir(), "found nothing", "bad"),
    _made(
        "two files for one split",
        lambda world: (world.write("bad/train.csv", _HEAD), world.write("bad/train.jsonl", "{}")),
        "expected one file for train",
        "bad",
    ),
    _made("a pipe", _pipe, "bad.csv: found a pipe"),
    _made("a link to itself", _loop, "bad.csv: found a symbolic link that leads back to itself"),
    _made("no such folder", lambda world: None, "There is no folder", "nowhere/data.csv"),
    _made("a file as folder", lambda world: None, "data.csv", "data.csv/more.csv"),
    _made("too long a name", lambda world: None, "File name too long", "x" * 300 + ".csv"),
]
