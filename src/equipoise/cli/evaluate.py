"""`equipoise evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Device, ModelFolder, Precision, RunFile, Set, Templates


def evaluate(
    model: ModelFolder,
    run_file: RunFile,
    set_: Set = None,
    split: Annotated[str, typer.Option(help="The split to score: `test`, `dev` or `train`.")] = "test",
    prompts: Templates = 1,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the metrics as JSON.")] = None,
    device: Device = None,
    precision: Precision = "fp32",
) -> None:
    """Score a trained model on the data of a run file."""
    from equipoise.config import load_config

    config = load_config(run_file, set_ or ())  # before the heavy imports, so that a mistake shows at once

    from equipoise.evaluation import evaluate as score
    from equipoise.files import write_json
    from equipoise.modeling import load
    from equipoise.outputs import check_output_file, holds_metrics
    from equipoise.reporting import results_table
    from equipoise.terminal import open_console
    from equipoise.workspace import inputs_of

    if output is not None:
        check_output_file(
            output, [("MODEL", model), ("RUN.yaml", run_file), *inputs_of(config)], holds_metrics, "metrics"
        )
    predictor = load(model, precision=precision)
    records = score(predictor, config, split=split, prompts=prompts)
    if output is not None:
        write_json(output, records)
    open_console().print(results_table(records, predictor.tasks))
