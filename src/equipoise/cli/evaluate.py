"""`equipoise evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from .device import Device
from .train import RunFile, Set


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model folder, or the folder of a run.")],
    run_file: RunFile,
    set_: Set = None,
    split: Annotated[str, typer.Option(help="The split to score: `test`, `dev` or `train`.")] = "test",
    prompts: Annotated[
        int, typer.Option(min=1, help="Average the answers of a language model over that many templates.")
    ] = 1,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the metrics as JSON.")] = None,
    device: Device = None,
) -> None:
    """Score a trained model on the data of a run file."""
    from rich.console import Console

    from equipoise.config import load_config
    from equipoise.evaluation import evaluate as score
    from equipoise.files import write_json
    from equipoise.modeling import load
    from equipoise.outputs import check_output_file
    from equipoise.reporting import results_table
    from equipoise.training.folder import inputs_of

    config = load_config(run_file, set_ or ())
    if output is not None:
        check_output_file(output, [("MODEL", model), ("RUN.yaml", run_file), *inputs_of(config)])
    predictor = load(model)
    records = score(predictor, config, split=split, prompts=prompts)
    if output is not None:
        write_json(output, records)
    Console().print(results_table(records, predictor.tasks))
