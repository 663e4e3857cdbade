"""A run without training: the base language model, asked."""

import time

from equipoise.config import RunConfig
from equipoise.data import load_table
from equipoise.devices import choose_device
from equipoise.errors import UsageError
from equipoise.evaluation import choose_prompted, predict_prompted, run_score, score_predictions
from equipoise.files import write_json
from equipoise.modeling import load_backbone

from .description import describe_table, installed_versions
from .folder import Run, add_notes, lock_folder, open_folder, read_run, write_predictions
from .memory import peak_memory_mb


def ask(config: RunConfig, rival: str) -> Run:
    """Score the base language model, untrained, and write what a run's folder holds without a model or a report.

    Args:
        config: the run file.
        rival: "zero_shot" or "few_shot", see `equipoise.evaluation.predict_prompted`.

    Raises:
        UsageError: the backbone is no decoder, or no task can be asked.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded or asked.
    """
    began = time.monotonic()
    table = load_table(config)
    backbone, tokenizer = load_backbone(config.model, language_model=True)
    backbone.to(choose_device())
    asked, notes = choose_prompted(backbone, tokenizer, table, config)
    if not asked.tasks:
        raise UsageError(f"evaluation.baselines: {rival} has no task to ask about. {' '.join(notes)}")
    folder = config.output
    with lock_folder(folder):
        open_folder(folder, config, {**describe_table(table), "notes": [*table.notes, *notes]}, resume=False)
        predictions, left_out = predict_prompted(backbone, tokenizer, asked, config, rival, ("dev", "test"))
        add_notes(folder, left_out)
        write_predictions(folder, predictions, asked)
        records = {split: score_predictions(found, asked, split) for split, found in predictions.items()}
        write_json(folder / "metrics.json", [record for found in records.values() for record in found])
        summary = {
            "status": "finished",
            "steps": 0,
            "best_step": 0,
            "run_score": {split: run_score(found, asked.tasks) for split, found in records.items()},
            "parameters": sum(parameter.numel() for parameter in backbone.parameters()),
            "seconds": round(time.monotonic() - began, 1),
            "seconds_per_step": None,
            "peak_memory_mb": peak_memory_mb(),
            "versions": installed_versions(),
        }
        write_json(folder / "summary.json", summary)
    return read_run(folder)
