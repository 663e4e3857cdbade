"""One run from the run file to the report."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import TrainerState

from equipoise.balancing import LabelStats, make_balancer
from equipoise.config import RunConfig, load_config
from equipoise.curriculum import Curriculum, CurriculumSampler
from equipoise.data import Collator, EpochSampler, MixedLengthSampler, Table, load_table
from equipoise.devices import choose_device
from equipoise.errors import TrainingError, UsageError
from equipoise.evaluation import (
    Predictions,
    Record,
    check_prompted,
    choose_examples,
    predict_split,
    run_score,
    score_predictions,
    score_prompted,
    score_split,
    tune_tasks,
)
from equipoise.files import write_json
from equipoise.modeling import MultiTaskModel
from equipoise.reporting import write_report
from equipoise.workspace import StoppedError, describe_inputs, lock_folder

from .budget import count_steps
from .building import build_model, encode_table
from .callbacks import ProgressSlot
from .checkpoints import check_checkpoint, checkpoint_at, has_ended, latest_checkpoint, read_state, remove_checkpoints
from .curriculum_file import check_curriculum, make_curriculum, open_curriculum
from .memory import peak_memory_mb
from .precision import precision_notes
from .processes import count_processes, in_first, join_processes, on_cpus
from .run_folder import (
    CHECKPOINTS,
    SINGLE_TASK,
    Run,
    add_notes,
    check_run_output,
    check_same_run,
    is_finished,
    open_run,
    read_run,
    tidy_finished,
    write_predictions,
)
from .single_task import add_baselines, plan_single_tasks
from .trainer import MultiTaskTrainer, load_weights
from .trial import try_step
from .versions import installed_versions


def train(
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
    single_task: bool = False,
) -> Run:
    """Train one model for all tasks of a run file, evaluate it and write the report.

    The run's folder then holds `config.yaml`, `log.jsonl`, `data.json`, `metrics.json`, `predictions.npz`,
    `summary.json`, `model/` and `report.html`, which is written last. Started by `torchrun` or `accelerate launch`, all
    processes train, each on `train.batch_size` rows a step; the first one scores and writes.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        resume: go on with an unfinished run from its last checkpoint; a finished one is left as it is.
        overwrite: discard what lies in the output folder.
        single_task: then train one model for each scored task, too, with as many passes over the task's training rows
            as the joint run plans; they are runs of their own in `single-task/`, and metrics and report of the joint
            run set them beside it. With `resume` also after a run that was trained without them.

    Raises:
        UsageError: the run file is wrong.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded.
        TrainingError: training cannot start or go on.
    """
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other; give one.")
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    join_processes()
    if not single_task:
        return train_one(config, resume, overwrite)
    table = load_table(config)
    plans, notes = plan_single_tasks(config, table, config.output / SINGLE_TASK)
    steps = [count_steps(config.train, len(table.splits["train"])), *(plan.steps for plan in plans)]
    parts = [
        ProgressSlot(f"Training {number} of {len(steps)} ({what})", sum(steps[: number - 1]), sum(steps))
        for number, what in enumerate(["joint", *(f"{plan.task} alone" for plan in plans)], start=1)
    ]
    train_one(config, resume, overwrite, parts[0])
    with ExitStack() as held:
        in_first(lambda: held.enter_context(lock_folder(config.output)))
        for plan, part in zip(plans, parts[1:], strict=True):
            # What lies there was begun by this run: with `overwrite` it has just been removed.
            train_one(plan.config, True, False, part)
        in_first(lambda: add_baselines(config.output, table, plans, notes))
    return read_run(config.output)


def train_one(config: RunConfig, resume: bool, overwrite: bool, part: ProgressSlot | None = None) -> Run:
    """Train one model, as `train` does, maybe as a part of more.

    Args:
        config: the run file.
        resume: as in `train`.
        overwrite: as in `train`.
        part: its place among the models that are trained one after the other; None where it is the only one.

    Raises:
        StoppedError: the user has stopped it.
        UsageError, DataError, ModelError, TrainingError: as in `train`.
    """
    folder = config.output
    if in_first(lambda: _is_done(config, resume, overwrite)):
        return read_run(folder)

    # Whatever is wrong with the input is found before anything is written.
    kinds = config.label_statistics
    make_balancer(config.balance.name, kinds, config.balance.options)
    check_settings(config)
    table = load_table(config)
    model = build_model(config, table)
    check_prompted(model, table, config)
    rows, notes = encode_table(table, model)
    try_step(config, table, rows, model)
    notes += precision_notes(config.train.precision)

    with ExitStack() as held:

        def begin() -> bool:
            held.enter_context(lock_folder(folder))
            # Again: another run may have ended here while this one was loading.
            if _is_done(config, resume, overwrite):
                return False
            open_run(config, {**describe_inputs(table, config.model), "notes": [*table.notes, *notes]}, resume)
            return True

        if in_first(begin):
            kept = in_first(lambda: open_curriculum(config, table, folder))
            trainer = _make_trainer(config, table, rows, model, part, make_curriculum(config, table, kept))
            state = _fit(trainer, config, resume)
            in_first(lambda: _finish(config, table, rows, model, state, kept))
    return read_run(folder)


def check_settings(config: RunConfig) -> None:
    """Refuse settings that this machine, or these processes, cannot train with."""
    check_curriculum(config)
    if config.train.precision == "fp16" and (on_cpus() or choose_device().type != "cuda"):
        raise TrainingError("train.precision: found fp16 on a CPU; fp16 needs a GPU; use bf16.")
    parts = {"train.gradient_accumulation": config.train.gradient_accumulation, "processes": count_processes()}
    for found, count in parts.items():
        if config.balance.alignment and count > 1:
            raise UsageError(
                f"balance.alignment: it compares the gradients of a whole batch, found {found}: {count}, expected 1; "
                "set that to 1, or leave alignment out."
            )


def _is_done(config: RunConfig, resume: bool, overwrite: bool) -> bool:
    """Whether the output folder holds this run, finished; refuse a folder that is not this run's to write."""
    if resume and is_finished(config.output):
        check_same_run(config)
        tidy_finished(config.output)
        return True
    check_run_output(config, resume, overwrite)
    return False


def _finish(
    config: RunConfig,
    table: Table,
    rows: dict[str, Any],
    model: MultiTaskModel,
    state: TrainerState,
    kept: dict[str, Any] | None,
) -> None:
    """Evaluate the best checkpoint and write what a finished run holds."""
    folder = config.output
    best_step = state.best_global_step or state.global_step
    best = checkpoint_at(folder / CHECKPOINTS, best_step)
    check_checkpoint(best)
    load_weights(model, best)
    # Dev has chosen the checkpoint and chooses thresholds; test is scored once.
    predictions = {"dev": _predict(model, table, rows, "dev", config, show=True)}
    table = tune_tasks(predictions["dev"], table)
    model = model.with_tasks(table.tasks)
    model.save_pretrained(folder / "model")
    predictions["test"] = _predict(model, table, rows, "test", config, show=True)
    write_predictions(folder, predictions, table)
    records = [record for split, found in predictions.items() for record in score_split(found, table, split, config)]
    asked, notes = score_prompted(model, table, config, list(predictions))
    records += asked
    add_notes(folder, [*notes, *(kept["notes"] if kept else ())])
    write_json(folder / "metrics.json", records)
    examples = choose_examples(predictions["test"], table, "test", seed=config.train.seed)
    if examples:
        write_json(folder / "examples.json", examples)
    seconds = _step_seconds(folder)
    summary = {
        "status": "finished",
        "steps": state.global_step,
        "best_step": best_step,
        "run_score": {split: run_score(_of_run(records, split), table.tasks) for split in ("dev", "test")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seconds": round(sum(seconds), 1),
        "seconds_per_step": round(median(seconds), 4),
        "difficulty_seconds": kept["seconds"] if kept else 0.0,
        "peak_memory_mb": peak_memory_mb(),
        "versions": installed_versions(),
    }
    write_json(folder / "summary.json", summary)
    write_report(folder)
    remove_checkpoints(folder / CHECKPOINTS)


def _predict(
    model: MultiTaskModel, table: Table, rows: dict[str, Any], split: str, config: RunConfig, *, show: bool = False
) -> Predictions:
    size = config.train.eval_batch_size
    return predict_split(model, table, rows[split], split, batch_size=size, label=f"Scoring {split}" if show else None)


def _step_seconds(folder: Path) -> list[float]:
    """The time of every step, also of those before the run was resumed."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["seconds"] for line in lines if "seconds" in line]


def _make_trainer(
    config: RunConfig,
    table: Table,
    rows: dict[str, Any],
    model: MultiTaskModel,
    part: ProgressSlot | None,
    curriculum: Curriculum | None,
) -> MultiTaskTrainer:
    kinds = config.label_statistics
    stats = {
        name: LabelStats.fit(kind, torch.tensor(table.labels(name, "train"))) for name, kind in kinds.items() if kind
    }
    balancer = make_balancer(
        config.balance.name, kinds, config.balance.options, label_stats=stats, seed=config.train.seed
    )
    settings = config.train
    train_rows = rows["train"]
    lengths, sources = train_rows["length"], train_rows["source"]
    joined, tau, seed = settings.batch_size * count_processes(), settings.mixing, settings.seed
    sampler: EpochSampler = MixedLengthSampler(lengths, sources, joined, tau, seed)
    if curriculum is not None:
        sampler = CurriculumSampler(
            lengths, sources, joined, curriculum, tau, seed, accumulation=settings.gradient_accumulation
        )

    def score_dev() -> dict[str, float]:
        found = _predict(model, table, rows, "dev", config)
        records = score_predictions(found, tune_tasks(found, table), "dev")
        primary = {
            f"{record['task']}/{record['metric']}": record["value"]
            for record in records
            if record["metric"] == table.tasks[record["task"]].metric
        }
        return {"run_score": run_score(records, table.tasks), **primary}

    return MultiTaskTrainer(
        model=model,
        balancer=balancer,
        train_rows=train_rows,
        sampler=sampler,
        collate=Collator(model.tokenizer, table.tasks),
        score_dev=score_dev,
        config=settings,
        folder=config.output,
        part=part,
        curriculum=curriculum,
    )


def _fit(trainer: MultiTaskTrainer, config: RunConfig, resume: bool) -> TrainerState:
    """Train to the end, from the last checkpoint where there is one."""
    checkpoints = config.output / CHECKPOINTS
    latest = in_first(lambda: _resume_point(checkpoints) if resume else None)
    if latest is None or not has_ended(read_state(latest), config.train.patience):
        trainer.fit(latest)
    return in_first(lambda: _final_state(checkpoints, config.train.patience))


def _resume_point(checkpoints: Path) -> Path | None:
    latest = latest_checkpoint(checkpoints)
    if latest is not None:
        check_checkpoint(latest)
    begun = count_processes() if latest is None else len(list(latest.glob("rng_state*.pth")))
    if begun != count_processes():
        raise TrainingError(
            f"{latest}: the run was begun with {begun} processes, found {count_processes()}; resume with as many, or "
            "start anew with --overwrite or another `output`."
        )
    return latest


def _final_state(checkpoints: Path, patience: int | None) -> TrainerState:
    latest = latest_checkpoint(checkpoints)
    assert latest is not None  # every way out of training but an error saves one
    state = read_state(latest)
    if not has_ended(state, patience):
        raise StoppedError(f"Stopped at step {state.global_step} of {state.max_steps}", "Continue with --resume.")
    return state


def _of_run(records: list[Record], split: str) -> list[Record]:
    return [record for record in records if record["model"] == "run" and record["split"] == split]
