"""New tasks on a model that is trained along, its old answers kept."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import set_seed

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.errors import ModelError, UsageError
from equipoise.evaluation import Record, tune_tasks
from equipoise.files import write_json
from equipoise.modeling import MODEL_OUTPUT, MultiTaskModel, find_model, load
from equipoise.outputs import check_output
from equipoise.precision import PURE_BF16
from equipoise.temporaries import remove_folder
from equipoise.workspace import explain_stop, lock_folder

from .audited_table import read_audited
from .building import encode_table, freeze_parts, use_checkpointing
from .checkpoints import check_checkpoint, checkpoint_at, remove_checkpoints
from .fitting import build_balancer, fit, make_batches, make_trainer
from .keeping import KeepingBalancer, KeepingCollator, read_answers
from .old_scores import AFTER, BEFORE, recalibrate, score_agreement, score_test
from .precision import precision_notes
from .prepared_run import PreparedRun
from .preparing import check_first
from .processes import count_processes
from .run_folder import CHECKPOINTS, METRICS, check_run_output, open_run
from .trained_weights import load_weights
from .trial import try_step

_KEPT = (
    "The temperatures and thresholds of the old tasks are kept; for sets and intervals (--level) calibrate the model "
    "again on their labels (`equipoise calibrate`)."
)

Known = tuple[Table | None, RunConfig | None]
"""Rows of the old tasks, and their run file, where they are there."""


@dataclass(frozen=True)
class Tuned:
    """A trained model, its scores, and what there is to say."""

    model: MultiTaskModel
    records: list[Record]
    notes: list[str]


def check_tuned(config: RunConfig, model: MultiTaskModel) -> None:
    """Refuse what cannot be trained so.

    Raises:
        UsageError: the run file asks for it.
        ModelError: the model is such a one.
    """
    asked = {
        "lora": (config.lora is not None, "the model's own weights are trained, or its adapter if it has one"),
        "quantization": (config.quantization != "none", "the model is read as it was saved"),
        "train.precision": (
            config.train.precision == PURE_BF16,
            "rounded weights would change the old answers",
        ),
        "curriculum": (config.curriculum.schedule != "none", "difficulty is measured for new models alone"),
    }
    for key, (is_set, why) in asked.items():
        if is_set:
            raise UsageError(f"{key}: found it in the run file of add-task, expected none: {why}; leave it out.")
    if count_processes() > 1:
        raise UsageError(f"add-task: found {count_processes()} processes, expected one; start it without a launcher.")
    written = [name for name, task in model.tasks.items() if task.writes_text]
    if written and config.train.protect:
        raise ModelError(
            f"add-task: task '{written[0]}' of the model writes text, which cannot be kept near what the old model "
            "writes; train all tasks together with `equipoise train`, or give up what it has learnt with --set "
            "train.protect=0."
        )
    for name, task in config.open_tasks().items():
        if task.is_prompted and model.prompts is None:
            raise UsageError(
                f"tasks.{name}: found the format prompt, but the model was saved without what writes words, since none "
                "of its tasks is in this format; expected the format head."
            )


def tune_with(
    folder: Path, old: MultiTaskModel, config: RunConfig, output: Path, known: Known, *, overwrite: bool
) -> Tuned:
    """Train new heads and the backbone below them, with the old answers kept, and write the model.

    Args:
        folder: the folder of the old model.
        old: the old model; it is changed.
        config: the run file of the new tasks.
        output: the folder to write; the training lies beside it.
        known: rows of the old tasks, and their run file.
        overwrite: start anew, and replace the model that lies in the output folder.

    Raises:
        StoppedError: the user has stopped it.
        UsageError, DataError, ModelError, TrainingError, OutputError: see `add_task`.
    """
    place = Path(os.path.abspath(output))
    work = place.with_name(f"{place.name}-training")
    config = config.model_copy(update={"model": str(find_model(folder).absolute()), "output": work})
    check_run_output(config, resume=not overwrite, overwrite=overwrite)
    kept = tuple(old.tasks) if config.train.protect else ()
    run = _prepare(old, config, kept)
    with ExitStack() as held:
        held.enter_context(lock_folder(work))
        if overwrite and check_output(output, MODEL_OUTPUT):
            remove_folder(output)
        open_run(config, run.describe(), resume=not overwrite)
        with explain_stop():
            _fit(run, kept)
        tuned = _finish(run, folder, known)
        write_json(work / METRICS, tuned.records)
        tuned.model.save_pretrained(output)
        remove_checkpoints(work / CHECKPOINTS)
    return tuned


def _prepare(old: MultiTaskModel, config: RunConfig, kept: tuple[str, ...]) -> PreparedRun:
    """Do all that a run does before its first step; see `prepare_run`."""
    check_first(config)
    table, findings = read_audited(config)
    set_seed(config.train.seed)
    model = old.with_added(table.tasks)
    freeze_parts(model.backbone, config.train)
    use_checkpointing(model.backbone, config.train)
    for name in old.tasks:
        model.head(name).requires_grad_(name in kept)
    rows, cut = encode_table(table, model, kept)
    notes = (*table.notes, *cut, *precision_notes(config.train.precision))
    run = PreparedRun(config, table, model, rows, notes, tuple(findings))
    try_step(run)
    return run


def _fit(run: PreparedRun, kept: tuple[str, ...]) -> None:
    """Train to the end, from the last checkpoint where there is one, and put the best weights into the model."""
    config, batches, balancer = run.config, make_batches(run), build_balancer(run)
    if kept:
        collate = KeepingCollator(run.collate, run.model, read_answers(run, kept))
        batches = replace(batches, collate=collate)
        balancer = KeepingBalancer(balancer, kept, config.train.protect)
    state = fit(make_trainer(run, batches=batches, balancer=balancer), config, resume=True)
    best = checkpoint_at(config.output / CHECKPOINTS, state.best_global_step or state.global_step)
    check_checkpoint(best)
    load_weights(run.model, best)
    run.model.eval()


def _finish(run: PreparedRun, folder: Path, known: Known) -> Tuned:
    """Calibrate, and score all tasks; the old model is read again, since its backbone was trained."""
    config, (about, checked) = run.config, known
    old = load(folder).model
    tuned = tune_tasks(run.predict("dev", "Scoring dev"), run.table, calibrate=config.evaluation.calibrate)
    model = run.model.with_tasks({**old.tasks, **tuned.tasks})
    model = model.with_tasks({**recalibrate(model, old.tasks, about, checked), **tuned.tasks})
    records = score_test(model, tuned, AFTER, config, bootstrap=config.evaluation.bootstrap)
    scored: set[str] = set()
    if about is not None and checked is not None:
        scored = set(about.scored)
        records += score_test(old, about, BEFORE, checked) + score_test(model, about, AFTER, checked)
    others = [name for name in old.tasks if name not in scored]
    records += score_agreement(old, model, others, run.table, config)
    lost = [name for name in others if old.tasks[name].is_calibrated]
    return Tuned(model, records, [*run.notes, *([_KEPT] if lost else [])])
