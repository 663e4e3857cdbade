"""`equipoise predict`."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.dialects import Dialect, read_encoding, read_quotechar, read_sep
from equipoise.errors import DataError, UsageError, shorten

from .options import Device, ModelFolder, Precision, Templates, say_rounding

if TYPE_CHECKING:
    from equipoise.data import RowStream
    from equipoise.predicting import BasePredictor

Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT | FILE",
        help="Texts; or one file of any size: .txt (one text per line), or .csv, .tsv, .jsonl, .json, .parquet or "
        ".xlsx with the columns that the tasks read; or `-` for standard input, one text per line. Files may be packed "
        "(.gz), but for .json, .parquet and .xlsx. What ends like such a file is read as one, unless it has whitespace "
        "in it and there is no such file.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="Write to this file, one answer per input, in order: a table where it ends in .csv, .tsv or .parquet, "
        "else JSON lines. After an interruption the same call continues.",
    ),
]
Pair = Annotated[str | None, typer.Option(help="The second text (a target, an aspect) for tasks that read one.")]
TaskNames = Annotated[list[str] | None, typer.Option(help="Predict this task only; may be repeated.")]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Also say which words decided. It takes many times as long."),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Explain with so many steps of the integral; --explain takes 32.")
]
Level = Annotated[
    float | None,
    typer.Option(help="Also answer with sets of classes, or intervals of scores, that are right this often, say 0.9."),
]
Sets = Annotated[str, typer.Option(help="How sets of classes are made: `lac`, or `aps`, which are never empty.")]
Abstain = Annotated[
    float | None, typer.Option(help="Say so where an answer is right with less than this probability, say 0.8.")
]
Text = Annotated[
    str | None,
    typer.Option(help="The column of the texts, where the file calls it otherwise; `a.b` is the key b in column a."),
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of the file's text, such as cp1252. Default: UTF-8.")]
Sep = Annotated[str | None, typer.Option(help="What stands between two cells: one character, or `tab`.")]
Quotechar = Annotated[
    str | None, typer.Option(help="What encloses a cell: one character, or `none`. Default: double quotes.")
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an .xlsx file.")]
Clean = Annotated[str | None, typer.Option(help="`html`: take the tags and entities of HTML out of what is read.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts in a batch. It changes the speed only.")]


Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Compute in so many processes, each with a model of its own and one thread of the CPU."),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Write nothing if a row cannot be read; else it has an error in its place.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Start from scratch where an interrupted call has left answers.")
]


def predict(
    model: ModelFolder,
    texts: Texts,
    output: Output = None,
    pair: Pair = None,
    task: TaskNames = None,
    prompts: Templates = 1,
    explain: Explain = False,
    explain_steps: Steps = None,
    level: Level = None,
    sets: Sets = "lac",
    abstain: Abstain = None,
    text: Text = None,
    encoding: Encoding = None,
    sep: Sep = None,
    quotechar: Quotechar = None,
    sheet: Sheet = None,
    clean: Clean = None,
    batch_size: BatchSize = 64,
    workers: Workers = None,
    strict: Strict = False,
    overwrite: Overwrite = False,
    device: Device = None,
    precision: Precision = "fp32",
) -> None:
    """Predict all tasks for texts: one JSON object per text, in order.

    A row of a file that cannot be read has an error in the place of its answer. If no row can be read, or one of the
    texts on the command line, nothing is written.
    """
    dialect = _read_dialect(
        encoding, sep, quotechar, sheet
    )  # before the heavy imports, so that a mistake shows at once

    from equipoise.streaming import Job, LocalEngine, WorkerEngine, check_predictions_file, predict_stream

    if output is not None:
        read = [("MODEL", model), *(("FILE", Path(text)) for text in texts if os.path.isfile(text))]
        check_predictions_file(output, read)
    options: dict[str, Any] = {"pair": pair, "tasks": task, "prompts": prompts, "batch_size": batch_size}
    options |= {"explain": explain_steps or explain, "level": level, "sets": sets, "abstain": abstain}
    options |= {"text": text, "clean": clean}
    is_file = len(texts) == 1 and os.path.isfile(texts[0])
    cleans = clean is not None or bool(explain_steps or explain)  # explanations are of texts as they are
    with _comparing_with_training(model, Path(texts[0]), dialect, cleans) if is_file else nullcontext():
        stream, is_given = _open(texts, dialect)
        job = Job(stream, model, options | {"precision": precision}, output, strict or is_given, overwrite)
        load, strict = partial(_load, model, precision), job.strict
        if workers is None:
            engine: LocalEngine | WorkerEngine = LocalEngine(load(), options, strict)
        else:
            engine = WorkerEngine(workers, load, options, strict)
        say_rounding(predict_stream(job, engine))


@contextmanager
def _comparing_with_training(model: Path, file: Path, dialect: Dialect, cleans: bool) -> Iterator[None]:
    """Say with which options the files were read that a run was trained on, where that may be what is amiss."""
    from equipoise.terminal import note

    from .training_files import training_options

    trained = training_options(model)
    if "clean" in trained and not cleans:
        note(f"this run was trained on texts without HTML; say --clean {trained['clean']} to read these alike.")
    try:
        yield
    except DataError as error:
        keys = ("sheet",) if file.suffix.lower() == ".xlsx" else ("encoding", "sep", "quotechar")
        told = [f"--{key} {shlex.quote(trained[key])}" for key in keys if key in trained]
        if dialect.given or not told:
            raise
        raise DataError(f"{error} The files that this run was trained on are read with {' '.join(told)}.") from None


def _load(model: Path, precision: str) -> "BasePredictor":
    """Load the model; this is also called in other processes."""
    from equipoise.loading import load

    return load(model, precision=precision)


def _read_dialect(encoding: str | None, sep: str | None, quotechar: str | None, sheet: str | None) -> Dialect:
    """Return what is said of how the file is written.

    Raises:
        UsageError: a value is none.
    """
    given = {"encoding": encoding, "sep": sep, "quotechar": quotechar, "sheet": sheet}
    readers: dict[str, Callable[[str], str]] = {
        "encoding": read_encoding,
        "sep": read_sep,
        "quotechar": read_quotechar,
        "sheet": str,
    }
    stated = {}
    for key, value in given.items():
        try:
            stated[key] = None if value is None else readers[key](value)
        except ValueError as error:
            raise UsageError(f"--{key}: {str(error).removesuffix('.')}.") from None
    dialect = Dialect(**stated)
    if problem := dialect.find_problem():
        raise UsageError(f"{problem}.")
    return dialect


def _open(texts: list[str], dialect: Dialect) -> "tuple[RowStream, bool]":
    """Return the rows to answer, and whether they are texts of the command line."""
    from equipoise.data import STREAMS, find_ending, stream_lines, stream_rows, stream_texts
    from equipoise.terminal import note

    text = texts[0]
    ending = find_ending(text)
    if texts == ["-"]:
        if problem := dialect.find_misfit([".txt"]):
            raise UsageError(f"standard input: {problem}.")
        return stream_lines(sys.stdin.buffer, "standard input", dialect), False
    if len(texts) == 1 and ending in STREAMS:
        if len(text.split()) > 1 and not os.path.lexists(text):
            note(f"there is no file {shorten(repr(text), 100)}; it is read as a text.")
            return stream_texts(texts), True
        try:
            return stream_rows(Path(text), dialect), False
        except DataError as error:
            if os.path.lexists(text):
                raise
            raise DataError(
                f"{error} It is read as a file because it ends in {ending}; if it is a text, give it through standard "
                "input (-)."
            ) from None
    if dialect.given:
        raise UsageError(f"--{next(iter(dialect.given))}: goes with a file, found texts; leave it out.")
    for text in texts:
        if os.path.lexists(text):
            raise UsageError(
                f"{text}: is a file or folder, expected texts, or one file that ends in {', '.join(STREAMS)}. If it is "
                "a text, give it through standard input (-)."
            )
    return stream_texts(texts), True
