"""`equipoise export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import ModelFolder

if TYPE_CHECKING:
    from equipoise.exporting import Export

Output = Annotated[Path, typer.Option("-o", "--output", help="The folder to write.")]
Format = Annotated[Literal["onnx"], typer.Option("--to", help="What to write.")]
Int8 = Annotated[
    bool, typer.Option("--int8", help="Hold the matrices in 8 bits, and measure on dev what each task loses.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN.yaml",
        help="With --int8: the run file whose dev split is scored. Default: the config.yaml of the model's run.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the exported model in the output folder.")]


def export(
    model: ModelFolder,
    output: Output,
    to: Format = "onnx",
    int8: Int8 = False,
    data: Data = None,
    overwrite: Overwrite = False,
) -> None:
    """Export a trained model as one ONNX graph with all tasks, which `equipoise predict` runs without torch.

    Its predictions are compared with those of the model before anything is written.
    """
    from equipoise.exporting import export_onnx

    _show(export_onnx(model, output, int8=int8, data=data, overwrite=overwrite))


def _show(export: "Export") -> None:
    """Print how exact the graph is, and what int8 costs."""
    from equipoise.terminal import Column, ListTable, note, open_console

    columns = [Column("task", wraps=False), Column("largest difference", right=True)]
    rows: list[tuple[str, ...]] = [(name, f"{difference:.1e}") for name, difference in export.differences.items()]
    if export.int8_differences:
        columns.append(Column("in int8", right=True))
        rows = [(*row, f"{export.int8_differences[row[0]]:.1e}") for row in rows]
    console = open_console()
    console.print(ListTable(tuple(columns), rows).for_terminal())
    if export.losses:
        names = ("task", "metric on dev", "rows", "fp32", "int8", "loss")
        losses = [
            (one.task, one.metric, f"{one.rows:,}", f"{one.fp32:.4f}", f"{one.int8:.4f}", f"{one.fp32 - one.int8:+.4f}")
            for one in export.losses
        ]
        shape = tuple(Column(name, wraps=False, right=number > 1) for number, name in enumerate(names))
        console.print(ListTable(shape, losses).for_terminal())
    for text in export.notes:
        note(text)
    console.print(f"{export.bytes / 1e6:,.1f} MB: {export.folder}", markup=False, soft_wrap=True)
