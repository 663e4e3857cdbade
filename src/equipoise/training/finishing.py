"""The end of a run: the best checkpoint, scored, and all that a finished run's folder holds."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median

from transformers import TrainerState

from equipoise.evaluation import (
    Record,
    choose_examples,
    find_mistakes,
    score_prompted,
    score_split,
    score_trust,
    trust_curves,
    tune_tasks,
)
from equipoise.files import write_json
from equipoise.modeling import held_in_bfloat16
from equipoise.precision import PURE_BF16
from equipoise.reporting import write_card, write_report

from .checkpoints import check_checkpoint, checkpoint_at, remove_checkpoints
from .curriculum_file import MeasuredCurriculum
from .prepared_run import PreparedRun
from .run_folder import CHECKPOINTS, METRICS, MISTAKES, MODEL, TRUST, add_notes, write_predictions
from .summary import Effort, write_summary
from .trained_weights import load_weights


def finish(run: PreparedRun, state: TrainerState, measured: MeasuredCurriculum | None) -> None:
    """Evaluate the best checkpoint and write what a finished run holds, its report last.

    Args:
        run: the run.
        state: the state of its last checkpoint.
        measured: the difficulty that its curriculum went by, where it had one.

    Raises:
        TrainingError: the best checkpoint is damaged.
    """
    folder, model = run.config.output, run.model
    best_step = state.best_global_step or state.global_step
    best = checkpoint_at(folder / CHECKPOINTS, best_step)
    check_checkpoint(best)
    load_weights(model, best)
    # Dev has chosen the checkpoint, and calibrates it and chooses thresholds; test is scored once.
    predictions = {"dev": run.predict("dev", "Scoring dev")}
    table = tune_tasks(predictions["dev"], run.table, calibrate=run.config.evaluation.calibrate)
    model = model.with_tasks(table.tasks)
    # Half the size, and nothing is lost: they are numbers of bfloat16.
    pure = run.config.train.precision == PURE_BF16
    with held_in_bfloat16(model) if pure else nullcontext():
        model.save_pretrained(folder / MODEL)
    predictions["test"] = replace(run, table=table, model=model).predict("test", "Scoring test")
    write_predictions(folder, predictions, table)
    records: list[Record] = []
    for split, of_split in predictions.items():
        records += score_split(of_split, table, split, run.config)
    resamples, seed = run.config.evaluation.bootstrap, run.config.train.seed
    records += score_trust(predictions["test"], table, "test", bootstrap=resamples, seed=seed)
    prompted, notes = score_prompted(model, table, run.config, list(predictions))
    records += prompted
    add_notes(folder, [*notes, *(measured.notes if measured else ())])
    write_json(folder / METRICS, records)
    if examples := choose_examples(predictions["test"], table, "test", seed=run.config.train.seed):
        write_json(folder / "examples.json", examples)
    # Gradients fit into memory for as many sequences as in training.
    explained, size = run.config.evaluation.explain, run.config.train.batch_size
    mistakes = find_mistakes(predictions["test"], table, "test", model, explained=explained, batch_size=size)
    write_json(folder / MISTAKES, mistakes)
    if curves := trust_curves(predictions["test"], table, "test"):
        write_json(folder / TRUST, curves)
    seconds = _step_seconds(folder)
    waited = measured.seconds if measured else 0.0
    effort = Effort(state.global_step, best_step, sum(seconds), median(seconds), waited)
    write_summary(folder, records, table.tasks, model, effort)
    write_card(folder, table.tasks)
    write_report(folder)
    remove_checkpoints(folder / CHECKPOINTS)


def _step_seconds(folder: Path) -> list[float]:
    """The time of every step, also of those before the run was resumed."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = [(line["seconds"], line.get("steps", 1)) for line in lines if "seconds" in line]
    return [seconds / steps for seconds, steps in logged for _ in range(steps)]
