"""`equipoise predict`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Device, ModelFolder, Templates

if TYPE_CHECKING:
    from equipoise.predicting import Inputs

TEXTS_LIMIT = 200_000_000
"""Most bytes of texts, in a file or from standard input."""


Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT | FILE",
        help="Texts; or one file: .txt (one text per line), or .csv, .tsv, .json, .jsonl or .parquet with the columns "
        "that the tasks read; or `-` for standard input, one text per line. What ends like such a file is read as one, "
        "unless it has whitespace in it and there is no such file.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write JSON lines to this file, one per input, in order.")
]
Pair = Annotated[str | None, typer.Option(help="The second text (a target, an aspect) for tasks that read one.")]
TaskNames = Annotated[list[str] | None, typer.Option(help="Predict this task only; may be repeated.")]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Also say which words decided. It takes some hundred times as long."),
]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Explain with so many steps of the integral; --explain takes 32.")
]
BatchSize = Annotated[int, typer.Option(min=1, help="Texts in a batch. It changes the speed only.")]


def predict(
    model: ModelFolder,
    texts: Texts,
    output: Output = None,
    pair: Pair = None,
    task: TaskNames = None,
    prompts: Templates = 1,
    explain: Explain = False,
    explain_steps: Steps = None,
    batch_size: BatchSize = 64,
    device: Device = None,
) -> None:
    """Predict all tasks for texts: one JSON object per text, in order.

    If a text cannot be read, nothing is written.
    """
    from equipoise.errors import OutputError
    from equipoise.files import to_json, write_text
    from equipoise.json_values import as_json_value
    from equipoise.modeling import load
    from equipoise.outputs import check_output_file, holds_predictions

    if output is not None:
        read = [("MODEL", model), *(("FILE", Path(text)) for text in texts if os.path.isfile(text))]
        check_output_file(output, read, holds_predictions, "predictions")
    inputs = _read(texts)
    answers = load(model).predict(
        inputs,
        pair,
        tasks=task,
        batch_size=batch_size,
        prompts=prompts,
        explain=explain_steps or explain,
        show_progress=len(inputs.rows) > batch_size,
    )
    lines = "".join(to_json(as_json_value(answer)) + "\n" for answer in answers)
    try:
        if output is not None:
            write_text(output, lines)
        else:
            sys.stdout.write(lines)
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if output is None:
            # What is left in the buffer cannot be written at the end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(
            f"{output or 'standard output'}: cannot be written ({error.strerror or error}); free some space, or choose "
            "another place."
        ) from None


def _read(texts: list[str]) -> "Inputs":
    from equipoise.data import FORMATS
    from equipoise.errors import DataError, UsageError, shorten
    from equipoise.files import read_bytes
    from equipoise.predicting import Inputs
    from equipoise.terminal import note

    endings = (".txt", *FORMATS)
    text = texts[0]
    ending = os.path.splitext(text)[1].lower()
    if texts == ["-"]:
        return _lines(sys.stdin.buffer.read(TEXTS_LIMIT + 1), "standard input")
    if len(texts) == 1 and ending in endings:
        if len(text.split()) > 1 and not os.path.lexists(text):
            note(f"there is no file {shorten(repr(text), 100)}; it is read as a text.")
            return Inputs(texts)
        try:
            return _lines(read_bytes(text, TEXTS_LIMIT), text) if ending == ".txt" else _table(Path(text))
        except DataError as error:
            if os.path.lexists(text):
                raise
            raise DataError(
                f"{error} It is read as a file because it ends in {ending}; if it is a text, give it through standard "
                "input (-)."
            ) from None
    for text in texts:
        if os.path.lexists(text):
            raise UsageError(
                f"{text}: is a file or folder, expected texts, or one file that ends in {', '.join(endings)}. If it is "
                "a text, give it through standard input (-)."
            )
    return Inputs(texts)


def _table(path: Path) -> "Inputs":
    """Return the rows of a file, with cells that JSON can hold."""
    from equipoise.data import read_rows
    from equipoise.errors import DataError
    from equipoise.json_values import as_json_value
    from equipoise.predicting import gather_inputs

    rows = read_rows(path)
    for column, cells in rows.columns.items():
        for index, cell in enumerate(cells):
            if isinstance(cell, dict | list | float):
                try:
                    cells[index] = as_json_value(cell)
                except RecursionError:
                    raise DataError(
                        f"{rows.where(index)}, column '{column}': found a cell that is nested too deeply; leave the "
                        "row or the column out."
                    ) from None
    return gather_inputs(rows)


def _lines(content: bytes, where: str) -> "Inputs":
    """Return the texts of a file, one per line."""
    from equipoise.errors import DataError
    from equipoise.predicting import Inputs

    if len(content) > TEXTS_LIMIT:
        raise DataError(f"{where}: found more than {TEXTS_LIMIT:,} bytes, expected {TEXTS_LIMIT:,} at most; split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start} is not UTF-8; save the text as UTF-8.") from None
    # Not splitlines: it also cuts at characters that may stand inside a text.
    if not text:
        raise DataError(f"{where}: found no texts, expected one or more, one per line.")
    lines = text.removesuffix("\n").split("\n")
    return Inputs([line.removesuffix("\r") for line in lines], lambda index: f"{where}, line {index + 1}")
