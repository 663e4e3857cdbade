"""A run without training: the base language model, prompted."""

import time

from equipoise.config import RunConfig
from equipoise.data import load_table
from equipoise.devices import choose_device
from equipoise.errors import UsageError
from equipoise.evaluation import Record, choose_prompted, predict_prompted, score_predictions
from equipoise.files import write_json
from equipoise.modeling import load_backbone
from equipoise.workspace import describe_table, lock_folder

from .run_folder import METRICS, Run, add_notes, open_run, read_run, write_predictions
from .summary import Effort, write_summary


def run_prompted(config: RunConfig, baseline: str) -> Run:
    """Score the base language model, untrained, and write what a run's folder holds without a model or a report.

    Args:
        config: the run file.
        baseline: "zero_shot" or "few_shot", see `equipoise.evaluation.predict_prompted`.

    Raises:
        UsageError: the backbone is no decoder, or no task can be prompted.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded or prompted.
    """
    started = time.monotonic()
    table = load_table(config)
    backbone, tokenizer = load_backbone(config.model, language_model=True)
    backbone.to(choose_device())
    prompted, notes = choose_prompted(backbone, tokenizer, table, config)
    if not prompted.tasks:
        raise UsageError(f"evaluation.baselines: {baseline} has no task to prompt for. {' '.join(notes)}")
    folder = config.output
    with lock_folder(folder):
        open_run(config, {**describe_table(table), "notes": [*table.notes, *notes]}, resume=False)
        predictions, left_out = predict_prompted(backbone, tokenizer, prompted, config, baseline, ("dev", "test"))
        add_notes(folder, left_out)
        write_predictions(folder, predictions, prompted)
        records: list[Record] = []
        for split, of_split in predictions.items():
            records += score_predictions(of_split, prompted, split)
        write_json(folder / METRICS, records)
        effort = Effort(steps=0, best_step=0, seconds=time.monotonic() - started)
        write_summary(folder, records, prompted.tasks, backbone, effort)
    return read_run(folder)
