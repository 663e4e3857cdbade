"""Experts from the run file to the page: one a task, and the table expert × task."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from equipoise.config import RunConfig, load_config
from equipoise.errors import UsageError
from equipoise.progress import Progress, format_seconds
from equipoise.reporting import write_experts
from equipoise.training import (
    EXPERTS,
    SingleTask,
    build_model,
    check_settings,
    is_finished,
    plan_single_tasks,
    progress_slots,
    train_one,
)
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .experts_folder import ExpertsFolder
from .results import gather_results
from .scoring import count_work, score_model


class Experts(NamedTuple):
    """The experts of a run file.

    Args:
        folder: their folder; each expert is a run in a folder of its task's name.
        results: the table expert × task as plain data (see `equipoise.experts.results.gather_results`).
    """

    folder: Path
    results: dict[str, Any]


def train_experts(
    run_file: str | Path | RunConfig, overrides: Sequence[str] = (), *, overwrite: bool = False
) -> Experts:
    """Train one expert for each scored task of a run file, and score every expert, and the base, on every task.

    An expert is a run of its own: its task alone, from the same base and seed, with as many passes over the task's
    training rows as the joint run plans. The experts lie in `OUTPUT/experts/TASK`, beside them `experts.jsonl` (one
    line a scored model) and `experts.html`. Called again it goes on: what is finished is left as it is, and an expert
    that was being trained goes on from its last checkpoint.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        overwrite: discard the experts that lie in the folder.

    Raises:
        UsageError: the run file is wrong, has one task, or its model starts from nothing.
        DataError: a file or a label is wrong.
        ModelError: the backbone cannot be loaded, or cannot do what is asked of it.
        TrainingError: the folder holds something else or other experts, or training was stopped.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder = ExpertsFolder(config.output / EXPERTS)
    plans, data = _plan(config, folder, overwrite)
    with folder.lock(), explain_stop():
        folder.start(config, data, restart=overwrite)
        trained = _train(plans)
        _score(plans, config, folder, trained)
        results = gather_results(plans, config, folder.journal.read())
        write_experts(folder.path, results)
    return Experts(folder.path, results)


def ensure_experts(config: RunConfig) -> list[SingleTask]:
    """Train the experts that are missing, and score none.

    Args:
        config: the run file.

    Returns:
        What each expert is; it lies in the `output` of its run file.

    Raises:
        UsageError, DataError, ModelError, TrainingError: see `train_experts`.
    """
    folder = ExpertsFolder(config.output / EXPERTS)
    plans, data = _plan(config, folder, overwrite=False)
    if all(is_finished(plan.config.output) for plan in plans):
        # Without the lock, so that several processes may read them.
        folder.start(config, data)
        return plans
    with folder.lock(), explain_stop():
        folder.start(config, data)
        _train(plans)
    return plans


def _plan(config: RunConfig, folder: ExpertsFolder, overwrite: bool) -> tuple[list[SingleTask], dict[str, Any]]:
    """Return what each expert is, and what their data hold; whatever is wrong is found before anything is written."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("experts are trained by one process, found several; call it without a launcher.")
    if config.model == "bilstm":
        raise UsageError(
            "model: found bilstm, which starts from nothing, so that experts have no base in common; choose a "
            "pre-trained model, or train single tasks (equipoise train --single-task)."
        )
    folder.check(inputs_of(config))
    # The model that is merged of them answers for all tasks: no expert may learn from a text that another is scored on.
    table, plans, _ = plan_single_tasks(config, folder.path, "experts", held_out=True)
    if overwrite or not all(is_finished(plan.config.output) for plan in plans):
        check_settings(config)
        build_model(config, table)
    return plans, {**describe_inputs(table, config.model), "notes": table.notes}


def _train(plans: Sequence[SingleTask]) -> set[str]:
    """Train what is not finished, and return the tasks of those trained now."""
    labels = [f"Training expert {number} of {len(plans)} ({plan.task})" for number, plan in enumerate(plans, start=1)]
    trained = set()
    for plan, slot in zip(plans, progress_slots(labels, [plan.steps for plan in plans]), strict=True):
        if not is_finished(plan.config.output):
            trained.add(plan.task)
        train_one(plan.config, resume=True, table=plan.table, progress=slot)
    return trained


def _score(plans: Sequence[SingleTask], config: RunConfig, folder: ExpertsFolder, trained: set[str]) -> None:
    """Score the base and every expert that is not scored yet, or was trained since."""
    done = folder.journal.read().keys() - trained
    models = [None, *(plan.task for plan in plans)]
    waiting = {expert: count_work(plans, expert) for expert in models if expert not in done}
    if not waiting:
        return
    bar = Progress("Scoring experts", sum(waiting.values()), "row")
    try:
        for expert in waiting:
            record = score_model(plans, config, expert, bar)
            folder.journal.append(record)
            what = "base" if expert is None else f"expert {expert}"
            bar.say(f"{what}: scored on {len(plans)} tasks ({format_seconds(record['seconds'])})")
    finally:
        bar.close()
