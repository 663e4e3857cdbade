"""The rows of the table: a model's predictions on dev and test, and what they are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.evaluation import Record, predict_prompted, run_score, score_predictions, tune_tasks
from equipoise.experts import count_work, predict_others
from equipoise.progress import Progress, progress
from equipoise.training import SingleTask, read_run, write_predictions

from .folder import PREDICTIONS
from .workbench import Workbench

SPLITS = ("dev", "test")
Found = Mapping[str, Mapping[str, npt.NDArray[Any]]]
"""By split the predictions of each task."""


def record_row(name: str, found: Found, table: Table, config: RunConfig, folder: Path) -> dict[str, Any]:
    """Score a row's predictions, and write them down.

    Args:
        name: the row's name.
        found: its predictions on dev and test.
        table: the table, with thresholds as the row's tasks have them.
        config: the run file: resamples, seed.
        folder: the merge's folder.

    Returns:
        "metrics": records with intervals; "run_score" by split.
    """
    place = folder / PREDICTIONS / name
    place.mkdir(parents=True, exist_ok=True)
    write_predictions(place, found, table)
    resamples, seed = config.evaluation.bootstrap, config.train.seed
    records: list[Record] = [
        record
        for split, one in found.items()
        for record in score_predictions(one, table, split, model=name, bootstrap=resamples, seed=seed)
        if record["subset"] == "all"
    ]
    tasks = {task: table.tasks[task] for task in found["test"]}
    return {
        "metrics": records,
        "run_score": {split: run_score([one for one in records if one["split"] == split], tasks) for split in SPLITS},
    }


def score_applied(name: str, bench: Workbench, folder: Path) -> dict[str, Any]:
    """Score what is applied to the workbench on dev and test, all tasks.

    Last layers are refitted to all training rows, if the run file wants it; dev chooses their penalties and the
    thresholds.

    Returns:
        What `record_row` does, and "tasks": the tasks with these thresholds.
    """
    tasks = list(bench.table.scored)
    train = {task: bench.table.rows(task, "train") for task in tasks}
    read = ("train", "dev", *SPLITS) if bench.refits else SPLITS
    bar = Progress(
        f"Scoring {name}", sum(len(bench.table.rows(task, split)) for task in tasks for split in read), "row"
    )
    try:
        with bench.refitted(train, by_dev=True, bar=bar):
            found = {split: bench.predict_split(split, tasks, bar) for split in SPLITS}
    finally:
        bar.close()
    tuned = tune_tasks(found["dev"], bench.table)
    row = record_row(name, found, tuned, bench.config, folder)
    return {**row, "tasks": {task: about.to_dict() for task, about in tuned.tasks.items()}}


def score_experts(name: str, plans: Sequence[SingleTask], table: Table) -> dict[str, Any]:
    """Put the experts' own predictions, each on its own task, into one row."""
    metrics: list[Record] = [
        {**record, "model": name}
        for plan in plans
        for record in read_run(plan.config.output).records
        if record["model"] == "run" and record["subset"] == "all"
    ]
    return {"metrics": metrics, "run_score": _run_scores(metrics, table)}


def score_joint(name: str, run: Path, table: Table) -> dict[str, Any]:
    """Take the row of the joint run from what it found."""
    metrics: list[Record] = [
        {**record, "model": name}
        for record in read_run(run).records
        if record["model"] == "run" and record["subset"] == "all"
    ]
    return {"metrics": metrics, "run_score": _run_scores(metrics, table)}


def score_base(name: str, plans: Sequence[SingleTask], table: Table, config: RunConfig, folder: Path) -> dict[str, Any]:
    """Score the base: prompted where tasks are prompted, else by linear probes on its frozen features."""
    with progress(f"Scoring {name}", count_work(plans, None), "row") as bar:
        answers = predict_others(plans, config, None, bar)
    found = {split: {task: one.predictions[split][task] for task, one in answers.items()} for split in SPLITS}
    tuned = replace(table, tasks={**table.tasks, **{task: one.table.tasks[task] for task, one in answers.items()}})
    return record_row(name, found, tuned, config, folder)


def score_shown(name: str, bench: Workbench, folder: Path) -> dict[str, Any]:
    """Score what is applied to the workbench with demonstrations before each question."""
    found, notes = predict_prompted(
        bench.base.backbone, bench.base.tokenizer, bench.table, bench.config, "few_shot", SPLITS
    )
    return {**record_row(name, found, tune_tasks(found["dev"], bench.table), bench.config, folder), "notes": notes}


def _run_scores(metrics: Sequence[Record], table: Table) -> dict[str, float]:
    return {split: run_score([one for one in metrics if one["split"] == split], table.scored) for split in SPLITS}
