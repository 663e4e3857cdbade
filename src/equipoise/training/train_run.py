"""One run from the run file to the report."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import Table
from equipoise.errors import UsageError
from equipoise.workspace import lock_folder

from .budget import count_steps
from .callbacks import ProgressSlot, progress_slots
from .curriculum_file import ensure_curriculum
from .finishing import finish
from .fitting import fit, make_trainer
from .preparing import prepare_run
from .processes import in_first, join_processes
from .run_folder import (
    SINGLE_TASK,
    Run,
    check_run_output,
    check_same_run,
    is_finished,
    open_run,
    read_run,
    tidy_finished,
)
from .single_tasks import add_baselines, plan_single_tasks


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
        resume: continue an unfinished run from its last checkpoint; a finished one is left as it is.
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
        return train_one(config, resume=resume, overwrite=overwrite)
    return _train_with_single_tasks(config, resume, overwrite)


def _train_with_single_tasks(config: RunConfig, resume: bool, overwrite: bool) -> Run:
    table, plans, notes = plan_single_tasks(config, config.output / SINGLE_TASK)
    steps = [count_steps(config.train, len(table.splits["train"])), *(plan.steps for plan in plans)]
    names = ["joint", *(f"{plan.task} alone" for plan in plans)]
    labels = [f"Training {number} of {len(names)} ({name})" for number, name in enumerate(names, start=1)]
    slots = progress_slots(labels, steps)
    train_one(config, resume=resume, overwrite=overwrite, table=table, progress=slots[0])
    with ExitStack() as held:
        in_first(lambda: held.enter_context(lock_folder(config.output)))
        for plan, slot in zip(plans, slots[1:], strict=True):
            # What lies there was started by this run: with `overwrite` it has just been removed.
            train_one(plan.config, resume=True, table=plan.table, progress=slot)
        in_first(lambda: add_baselines(config.output, table, plans, notes))
    return read_run(config.output)


def train_one(
    config: RunConfig,
    *,
    resume: bool = False,
    overwrite: bool = False,
    table: Table | None = None,
    progress: ProgressSlot | None = None,
) -> Run:
    """Train one model, as `train` does, maybe one of several.

    Args:
        config: the run file.
        resume: as in `train`.
        overwrite: as in `train`.
        table: its table, where that is read already.
        progress: its place among the models that are trained one after the other; None where it is the only one.

    Raises:
        StoppedError: the user has stopped it.
        UsageError, DataError, ModelError, TrainingError: as in `train`.
    """
    if in_first(lambda: _is_done(config, resume, overwrite)):
        return read_run(config.output)
    # Whatever is wrong with the input is found before anything is written.
    run = prepare_run(config, table)
    with ExitStack() as held:

        def start() -> bool:
            held.enter_context(lock_folder(config.output))
            # Again: another run may have ended here while this one was loading.
            if _is_done(config, resume, overwrite):
                return False
            open_run(config, run.describe(), resume)
            return True

        if in_first(start):
            measured = in_first(lambda: ensure_curriculum(config, run.table, config.output))
            state = fit(make_trainer(run, measured, progress), config, resume)
            in_first(lambda: finish(run, state, measured))
    return read_run(config.output)


def _is_done(config: RunConfig, resume: bool, overwrite: bool) -> bool:
    """Whether the output folder holds this run, finished; refuse a folder that is not this run's to write."""
    if resume and is_finished(config.output):
        check_same_run(config)
        tidy_finished(config.output)
        return True
    check_run_output(config, resume, overwrite)
    return False
