"""`equipoise predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .device import Device


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder, or the folder of a run.")],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT… | FILE",
            help="Texts, or one file: .txt (a text a line), .csv, .tsv, .json, .jsonl or .parquet with the columns "
            "the tasks read; `-` reads texts from standard input, one a line.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write JSON lines to this file, one an input, in order.")
    ] = None,
    pair: Annotated[str | None, typer.Option(help="Second text (a target, an aspect) for tasks that read one.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Answer for this task only; may be repeated.")] = None,
    prompts: Annotated[
        int, typer.Option(min=1, help="Average the answers of a language model over that many templates.")
    ] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts in a batch; changes the speed only.")] = 64,
    device: Device = None,
) -> None:
    """Answer for texts: one JSON object a text, in order."""
    from equipoise.files import check_writable, write_text
    from equipoise.modeling import load

    if output is not None:
        check_writable(output)
    rows = _read(texts)
    answers = load(model).predict(
        rows, pair, tasks=task, batch_size=batch_size, prompts=prompts, show_progress=len(rows) > batch_size
    )
    # Dates and the like, which a Parquet file may hold, are written as text.
    lines = "".join(json.dumps(answer, ensure_ascii=False, default=str) + "\n" for answer in answers)
    if output is not None:
        write_text(output, lines)
    else:
        sys.stdout.write(lines)


def _read(texts: list[str]) -> list[Any]:
    from equipoise.data import FORMATS, read_rows
    from equipoise.errors import DataError, UsageError

    if texts == ["-"]:
        return _lines(sys.stdin.buffer.read(), "standard input")
    path = Path(texts[0])
    ending = path.suffix.lower()
    if len(texts) == 1 and ending == ".txt":
        try:
            return _lines(path.read_bytes(), str(path))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if len(texts) == 1 and ending in FORMATS:
        table = read_rows(path)
        # NaN, which a Parquet file may hold, is no JSON.
        cells = ([None if cell != cell else cell for cell in column] for column in table.columns.values())
        return [dict(zip(table.columns, row, strict=True)) for row in zip(*cells, strict=True)]
    for text in texts:
        if len(text) < 256 and Path(text).exists():
            known = ", ".join([".txt", *FORMATS])
            raise UsageError(f"{text}: is a file or folder, expected texts, or one file that ends in {known}.")
    return list(texts)


def _lines(content: bytes, where: str) -> list[str]:
    """The texts of a file, one a line."""
    from equipoise.errors import DataError

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: byte {error.start} is not UTF-8; save the text as UTF-8.") from None
    # Not splitlines: it cuts at signs that may stand inside a text.
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]
