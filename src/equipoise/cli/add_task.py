"""`equipoise add-task`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Device, ModelFolder, RunFile, Set

if TYPE_CHECKING:
    from equipoise.training import AddedTasks

Output = Annotated[Path, typer.Option("-o", "--output", help="The folder of the new model.")]
Freeze = Annotated[
    bool, typer.Option("--freeze", help="Leave the backbone and the old heads as they are: new heads are linear.")
]
Check = Annotated[
    Path | None,
    typer.Option(
        metavar="OLD_RUN.yaml",
        help="The run file whose test rows score the old tasks before and after. Default: the one of the model's run.",
    ),
]
Metrics = Annotated[Path | None, typer.Option(help="Write all scores as JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the model in the output folder.")]


def add_task(
    model: ModelFolder,
    run_file: RunFile,
    output: Output,
    freeze: Freeze = False,
    check: Check = None,
    metrics: Metrics = None,
    set_: Set = None,
    overwrite: Overwrite = False,
    device: Device = None,
) -> None:
    """Add the tasks of a run file to a trained model: trained with the old answers kept, or --freeze in seconds."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.files import write_json
    from equipoise.outputs import check_output_file, holds_metrics
    from equipoise.terminal import note
    from equipoise.training import add_task as add
    from equipoise.workspace import inputs_of

    if metrics is not None:
        check_output_file(metrics, [("MODEL", model), *inputs_of(config)], holds_metrics, "metrics")
    added = add(model, config, output, freeze=freeze, check=check, overwrite=overwrite)
    if metrics is not None:
        write_json(metrics, added.records)
    for text in added.notes:
        note(text)
    _show(added)


def _show(added: "AddedTasks") -> None:
    """Print the primary metric of every task before and after."""
    from equipoise.terminal import Column, ListTable, open_console

    rows = []
    for name, task in added.tasks.items():
        scored = [
            record
            for record in added.records
            if (record["task"], record["subset"], record["metric"]) == (name, "all", task.metric)
        ]
        if scored:
            values = {record["model"]: f"{record['value']:.4f}" for record in scored}
            about = (name, "new" if name in added.added else "old", task.metric, scored[0]["split"])
            rows.append((*about, f"{scored[0]['n']:,}", values.get("before", "–"), values.get("after", "–")))
    heads = ("task", "is", "metric", "scored on")
    right = ("rows", "before", "after")
    columns = (*(Column(head) for head in heads), *(Column(head, right=True) for head in right))
    console = open_console()
    console.print(ListTable(columns, rows).for_terminal())
    console.print(f"Model: {added.folder}", markup=False, soft_wrap=True)
