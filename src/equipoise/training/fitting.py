"""The steps of a run, from its first or its last checkpoint to its end."""

from pathlib import Path

import torch
from transformers import TrainerState

from equipoise.balancing import Balancer, LabelStats, make_balancer
from equipoise.config import RunConfig
from equipoise.curriculum import Curriculum, CurriculumSampler
from equipoise.data import EpochSampler, FlatRows, MixedLengthSampler, WindowSampler, group_windows
from equipoise.errors import OVERWRITE, RESUME, TrainingError
from equipoise.evaluation import run_score, score_predictions, tune_tasks
from equipoise.workspace import StoppedError

from .callbacks import ProgressSlot
from .checkpoints import check_checkpoint, has_ended, latest_checkpoint, read_state
from .curriculum_file import MeasuredCurriculum, make_curriculum
from .prepared_run import PreparedRun
from .processes import count_processes, in_first, is_sharded
from .run_folder import CHECKPOINTS
from .sharding import WholeOptimizer
from .trackers import make_trackers
from .trainer import MultiTaskTrainer, TrainingBatches


def make_trainer(
    run: PreparedRun,
    measured: MeasuredCurriculum | None = None,
    progress: ProgressSlot | None = None,
    batches: TrainingBatches | None = None,
    balancer: Balancer | None = None,
) -> MultiTaskTrainer:
    """Return what trains a run.

    Args:
        run: the run.
        measured: the difficulty that its curriculum goes by, where it has one.
        progress: the run's place among several, for the progress bar.
        batches: its batches; by default those of all training rows, in the order of the run file.
        balancer: what weighs its losses; by default the run file's.
    """
    trainer = MultiTaskTrainer(
        model=run.model,
        balancer=balancer or build_balancer(run),
        batches=batches or make_batches(run, measured),
        score_dev=lambda: score_dev(run),
        config=run.config.train,
        folder=run.config.output,
        progress=progress,
    )
    for tracker in make_trackers(run.config):
        trainer.add_callback(tracker)
    return trainer


def make_batches(run: PreparedRun, measured: MeasuredCurriculum | None = None) -> TrainingBatches:
    """Return all training rows of a run, in the order of its run file; see `make_trainer`."""
    curriculum = make_curriculum(run.config, run.table, measured)
    return TrainingBatches(FlatRows(run.rows["train"]), _make_sampler(run, curriculum), run.collate, curriculum)


def score_dev(run: PreparedRun) -> dict[str, float]:
    """Return the run score on dev ("run_score"; 0 of auxiliary tasks alone) and the primary metrics ("TASK/METRIC")."""
    if not run.table.scored:
        return {"run_score": 0.0}
    predictions, table = run.predict("dev"), run.table
    records = score_predictions(predictions, tune_tasks(predictions, table), "dev")
    primary = {
        f"{record['task']}/{record['metric']}": record["value"]
        for record in records
        if record["metric"] == table.tasks[record["task"]].metric
    }
    return {"run_score": run_score(records, table.tasks), **primary}


def fit(trainer: MultiTaskTrainer, config: RunConfig, resume: bool) -> TrainerState:
    """Train to the end, from the last checkpoint where there is one.

    Args:
        trainer: see `make_trainer`.
        config: the run file.
        resume: continue from the last checkpoint.

    Returns:
        The state of the last checkpoint.

    Raises:
        StoppedError: the user has stopped it.
        TrainingError: a checkpoint is damaged, cannot be written, or is of another number of processes.
    """
    checkpoints = config.output / CHECKPOINTS
    latest = in_first(lambda: _resume_point(checkpoints) if resume else None)
    if latest is None or not has_ended(read_state(latest), config.train.patience):
        trainer.fit(latest)
    return in_first(lambda: _final_state(checkpoints, config.train.patience))


def fit_one_of_several(trainer: MultiTaskTrainer, config: RunConfig) -> TrainerState:
    """Train a run after which others follow: as `fit` with `resume`, but a Ctrl-C in its last step stops the work, too.

    Raises:
        StoppedError: the user has stopped it.
        TrainingError: as in `fit`.
    """
    state = fit(trainer, config, resume=True)
    if trainer.stop_on_signal.asked:
        raise StoppedError(f"Stopped at step {state.global_step} of {state.max_steps}", f"Continue with {RESUME}.")
    return state


def build_balancer(run: PreparedRun) -> Balancer:
    """Return the balancer that a run file names, for the tasks of its table."""
    table, balance = run.table, run.config.balance
    kinds = run.config.label_statistics
    stats = {
        name: LabelStats.fit(kind, torch.tensor(table.labels(name, "train"))) for name, kind in kinds.items() if kind
    }
    return make_balancer(balance.name, kinds, balance.options, label_stats=stats, seed=run.config.train.seed)


def _make_sampler(run: PreparedRun, curriculum: Curriculum | None) -> EpochSampler:
    sampler = _make_row_sampler(run, curriculum)
    windows = group_windows(run.rows["train"]) if run.model.reads_windows else {}
    return WindowSampler(sampler, windows, run.config.train.seed) if windows else sampler


def _make_row_sampler(run: PreparedRun, curriculum: Curriculum | None) -> EpochSampler:
    settings, table = run.config.train, run.table
    # All windows of a text are equally long; those behind the first stand behind all rows.
    rows = FlatRows(run.rows["train"].select(range(len(table.splits["train"]))))
    joined = settings.batch_size * count_processes()
    lengths, sources = rows.column("length").values, rows.names("source")
    if curriculum is None:
        return MixedLengthSampler(lengths, sources, joined, settings.mixing, settings.seed)
    accumulation = settings.gradient_accumulation
    return CurriculumSampler(
        lengths, sources, joined, curriculum, settings.mixing, settings.seed, accumulation=accumulation
    )


def _resume_point(checkpoints: Path) -> Path | None:
    latest = latest_checkpoint(checkpoints)
    if latest is None:
        return None
    check_checkpoint(latest)
    then, now = len(list(latest.glob("rng_state*.pth"))), count_processes()
    if then != now:
        raise TrainingError(
            f"{latest}: the run was started with {then} processes, found {now}; resume with as many, or start from "
            f"scratch with {OVERWRITE} or another `output`."
        )
    if (was_sharded := WholeOptimizer.lies_in(latest)) != is_sharded():
        how = ("sharded (FSDP)", "in each process whole")
        raise TrainingError(
            f"{latest}: the run was started with the model {how[not was_sharded]}, found it {how[was_sharded]}; resume "
            f"as it was started, or start from scratch with {OVERWRITE} or another `output`."
        )
    return latest


def _final_state(checkpoints: Path, patience: int | None) -> TrainerState:
    latest = latest_checkpoint(checkpoints)
    assert latest is not None  # every way out of training but an error saves one
    state = read_state(latest)
    if not has_ended(state, patience):
        raise StoppedError(f"Stopped at step {state.global_step} of {state.max_steps}", f"Continue with {RESUME}.")
    return state
