"""One run from the run file to the report."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from equipoise.config import RunConfig, as_overrides, load_config, make_table_config
from equipoise.data import GivenTables, Table, are_tables, check_table, gather_tables, locate_tables
from equipoise.errors import OVERWRITE, RESUME, UsageError, list_some, shorten
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
    run_file: Any,
    overrides: Sequence[str] = (),
    *,
    resume: bool = False,
    overwrite: bool = False,
    single_task: bool = False,
    settings: Mapping[str, Any] | None = None,
    **keys: Any,
) -> Run:
    """Train one model for all tasks of a run file, or of tables in memory; evaluate it and write the report.

    The run's folder then holds `config.yaml`, `log.jsonl`, `data.json`, `metrics.json`, `predictions.npz`,
    `summary.json`, `model/` and `report.html`, which is written last. Started by `torchrun` or `accelerate launch`, all
    processes train, each on `train.batch_size` rows a step; the first one scores and writes.

    The rows of tables are written to `data/` in the run's folder, as Parquet, with the columns that the run reads.
    `config.yaml` names these files: from there the run can be repeated, resumed, evaluated and compared. None, NaN and
    pandas' NA are missing: such a label cell means that the row has no label.

    Args:
        run_file: path of a run file, or a checked configuration; or tables: a DataFrame of pandas or Polars, a pyarrow
            table, a `datasets.Dataset` or a list of dicts; or a dict of these by split ("train", "dev", "test") or by
            source, or of such dicts by source. The source of a single table is called "data".
        overrides: `key=value` settings that win over the file.
        resume: continue an unfinished run from its last checkpoint; a finished one is left as it is.
        overwrite: discard what lies in the output folder.
        single_task: then train one model for each scored task, too, with as many passes over the task's training rows
            as the joint run plans; they are runs of their own in `single-task/`, and metrics and report of the joint
            run set them beside it. With `resume` also after a run that was trained without them.
        settings: keys of the run file, nested or with dots between levels: `{"train.epochs": 1}`.
        keys: the same by name: sections and keys of the run file (`tasks`, `model`, `balance`, `output`, …) and those
            of its section `train` (`epochs`, `learning_rate`, `seed`, …). With tables also keys of a source, for all
            tables (`group`, `split`, `subsets`, …), and `text` and `pair`, columns of all tasks that name none of
            their own. With one table `tasks` need no `source`.

    Raises:
        UsageError: the run file or a keyword is wrong, or what was given is no table.
        DataError: a file, a table or a label is wrong; the message names the column, and the row from 0.
        ModelError: the backbone cannot be loaded.
        TrainingError: training cannot start or go on.

    Examples:
        >>> import equipoise
        >>> run = equipoise.train("reviews.yaml", epochs=1, output="runs/first")
        >>> sorted({record["task"] for record in run.records})
        ['stars', 'topic']
        >>> import pandas as pd
        >>> df = pd.read_csv("reviews.csv")
        >>> tasks = {"topic": {"kind": "classification", "label": "topic"}}
        >>> run = equipoise.train(df, tasks=tasks, group="author", epochs=1, output="runs/second")
        >>> (run.folder / "data" / "data.parquet").exists()
        True
    """
    _check_keywords({"resume": resume, "overwrite": overwrite, "single_task": single_task}, settings)
    if resume and overwrite:
        raise UsageError(f"{RESUME} and {OVERWRITE} exclude each other; give one.")
    join_processes()
    if are_tables(run_file):
        if overrides:
            raise UsageError("overrides: they go with a run file, found tables; give keywords, or `settings`.")
        tables = gather_tables(run_file)
        config = make_table_config(locate_tables(tables), keys, settings or {})
        given = GivenTables(tables, config)
        with given.in_memory():
            return _train(config, given, resume, overwrite, single_task)
    return _train(_load(run_file, overrides, keys, settings or {}), None, resume, overwrite, single_task)


def _check_keywords(switches: Mapping[str, Any], settings: Any) -> None:
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name}: found {shorten(repr(value), 60)}, expected True or False.")
    if settings is not None and not (isinstance(settings, Mapping) and all(isinstance(key, str) for key in settings)):
        raise UsageError(
            f"settings: found {shorten(repr(settings), 60)}, expected a dict by keys of the run file, such as "
            "{'train.epochs': 1}."
        )


def _load(
    run_file: str | Path | RunConfig, overrides: Sequence[str], keys: Mapping[str, Any], settings: Mapping[str, Any]
) -> RunConfig:
    if not isinstance(run_file, RunConfig):
        if not isinstance(run_file, str | Path):
            check_table("train()", run_file)
        if not Path(run_file).exists():
            return load_config(run_file)  # which says so, before anything is said of keywords
        return load_config(run_file, [*overrides, *as_overrides(keys, settings)])
    if keys or settings:
        raise UsageError(
            f"train(): found keywords ({list_some([*keys, *settings])}) beside a checked configuration, which is "
            "complete; change the configuration."
        )
    return run_file


def _train(config: RunConfig, given: GivenTables | None, resume: bool, overwrite: bool, single_task: bool) -> Run:
    if single_task:
        return _train_with_single_tasks(config, given, resume, overwrite)
    return train_one(config, resume=resume, overwrite=overwrite, given=given)


def _train_with_single_tasks(config: RunConfig, given: GivenTables | None, resume: bool, overwrite: bool) -> Run:
    table, plans, notes = plan_single_tasks(config, config.output / SINGLE_TASK)
    steps = [count_steps(config.train, len(table.splits["train"])), *(plan.steps for plan in plans)]
    names = ["joint", *(f"{plan.task} alone" for plan in plans)]
    labels = [f"Training {number} of {len(names)} ({name})" for number, name in enumerate(names, start=1)]
    slots = progress_slots(labels, steps)
    train_one(config, resume=resume, overwrite=overwrite, table=table, given=given, progress=slots[0])
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
    given: GivenTables | None = None,
    progress: ProgressSlot | None = None,
) -> Run:
    """Train one model, as `train` does, maybe one of several.

    Args:
        config: the run file.
        resume: as in `train`.
        overwrite: as in `train`.
        table: its table, where that is read already.
        given: tables in memory that the run reads, to be written into its folder.
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
            if given is not None:
                given.write()
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
