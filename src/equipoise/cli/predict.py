"""`equipoise predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


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
    batch_size: Annotated[int, typer.Option(min=1, help="Texts in a batch; changes the speed only.")] = 64,
) -> None:
    """Answer for texts: one JSON object a text, in order."""
    from equipoise.files import write_text
    from equipoise.modeling import load

    rows = _read(texts)
    answers = load(model).predict(rows, pair, tasks=task, batch_size=batch_size, show_progress=len(rows) > batch_size)
    lines = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    if output is not None:
        write_text(output, lines)
    else:
        sys.stdout.write(lines)


def _read(texts: list[str]) -> list[Any]:
    from equipoise.data import read_rows
    from equipoise.errors import DataError

    if texts == ["-"]:
        return [line.rstrip("\r\n") for line in sys.stdin]
    path = Path(texts[0])
    looks_like_file = len(texts) == 1 and path.suffix.lower() in (".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet")
    if not looks_like_file:
        return list(texts)
    if path.suffix.lower() != ".txt":
        table = read_rows(path)
        return [dict(zip(table.columns, cells, strict=True)) for cells in zip(*table.columns.values(), strict=True)]
    try:
        # Not splitlines: it cuts at signs that may stand inside a text.
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8.") from None
