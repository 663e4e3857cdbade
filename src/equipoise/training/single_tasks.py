"""One model a task beside the joint one: what each is trained on, for how long, and how the joint one compares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.config import STAGED, BalanceConfig, CurriculumConfig, RunConfig
from equipoise.data import SourceReader, Table, join_table, load_table, read_once, read_source, split_sources
from equipoise.errors import DataError, UsageError
from equipoise.evaluation import Items, Record, as_stored, paired_tests, run_score, without_prompted
from equipoise.files import write_json
from equipoise.reporting import write_report

from .budget import count_passes, count_steps
from .run_folder import METRICS, SINGLE_TASK, SINGLE_TASK_RESULTS, read_predictions, read_run
from .summary import read_summary


@dataclass(frozen=True)
class SingleTask:
    """One task's own model.

    Args:
        task: the task.
        config: the run file, complete.
        table: its rows.
        passes: how often it reads each of the task's training rows.
        steps: how many steps it plans.
    """

    task: str
    config: RunConfig
    table: Table
    passes: float
    steps: int


def single_task(config: RunConfig, table: Table, task: str, *, held_out: bool = False) -> RunConfig:
    """Return a run file with one task only, classes and thresholds as the whole file has them.

    Args:
        config: the run file.
        table: its table.
        task: the task.
        held_out: hold the other tasks out, so that it has the rows that it has among them; else it is as if they did
            not exist.
    """
    own = config.tasks[task].with_label_space(table.tasks[task])
    others = {name: other for name, other in config.tasks.items() if name != task} if held_out else {}
    # With one task there are no tasks to order.
    curriculum = CurriculumConfig() if config.curriculum.schedule in STAGED else config.curriculum
    # The base language model gives the same answers beside every model.
    return without_prompted(config).model_copy(
        update={
            "tasks": {task: own},
            "held_out": {**config.held_out, **others},
            "sources": config.sources if held_out else {own.source: config.sources[own.source]},
            "balance": BalanceConfig(name="equal"),
            "curriculum": curriculum,
        }
    )


def load_single_tasks(
    config: RunConfig, table: Table, name: str, *, read: SourceReader = read_source
) -> tuple[dict[str, Table], list[str]]:
    """Load each scored task's table alone, and make sure that it has the test rows that it has among the others.

    It is no selection of the rows of `table`: there are fewer texts to keep apart, and a limit counts fewer rows.

    Args:
        config: the run file.
        table: its table.
        name: what messages call the run file.
        read: reads the files of a source; see `equipoise.data.read_once`.

    Returns:
        The tables by task, and sentences on tasks that have other training or dev rows alone.

    Raises:
        DataError: the test rows differ.
    """
    tables = {task: load_table(single_task(config, table, task), read=read) for task in table.scored}
    return tables, [note for task, alone in tables.items() for note in _compare_rows(task, alone, table, name)]


def _compare_rows(task: str, alone: Table, table: Table, name: str) -> list[str]:
    """Refuse other test rows than among the other tasks, and tell of other training and dev rows."""
    if table.items(task, "test") != alone.items(task, "test"):
        raise DataError(
            f"{name}: task '{task}' alone has other test rows than among the other tasks (a limit counts rows "
            "of all tasks of its source); give test files of their own, without a limit."
        )
    notes = []
    for split in ("train", "dev"):
        here, there = (one.items(task, split) for one in (alone, table))
        # Training rows may stand in another order: repeats are merged where the first of any task stands.
        if set(here) != set(there):
            notes.append(
                f"Task '{task}' alone has {len(here)} {split} rows, among the other tasks {len(there)}: there, "
                "texts in another source's dev or test are dropped, and a limit counts rows of all tasks."
            )
    return notes


def plan_single_tasks(
    config: RunConfig, folder: Path, name: str = "--single-task", *, held_out: bool = False
) -> tuple[Table, list[SingleTask], list[str]]:
    """Plan one model for each scored task, with the joint run's passes over the task's training rows.

    Args:
        config: the joint run file.
        folder: the folder of their folders.
        name: what messages call that which asks for them.
        held_out: see `single_task`.

    Returns:
        The joint run's table, the models, and the notes of `load_single_tasks` (none where others are held out).

    Raises:
        UsageError: the run file has one task, or is wrong.
        DataError: a file or a label is wrong, or a task alone has other test rows.
    """
    if len(config.tasks) == 1:
        raise UsageError(f"{name}: the run file has one task, expected two or more: its model is single-task.")
    read = read_once()
    splits = split_sources(config, read=read)
    table = join_table(config, splits)
    configs = {task: single_task(config, table, task, held_out=held_out) for task in table.scored}
    notes: list[str] = []
    if held_out:
        # Still no selection of the table's rows: of repeated texts each task has the first that it has a label on.
        tables = {task: join_table(own, splits) for task, own in configs.items()}
    else:
        tables, notes = load_single_tasks(config, table, name, read=read)
    passes = count_passes(config.train, list(table.splits["train"]["source"]))
    plans = []
    for task, own in configs.items():
        train = own.train.model_copy(update={"epochs": passes[own.tasks[task].source], "max_steps": None})
        own = own.model_copy(update={"train": train, "output": folder / task})
        steps = count_steps(train, len(tables[task].splits["train"]))
        plans.append(SingleTask(task, own, tables[task], train.epochs, steps))
    return table, plans, notes


def add_baselines(folder: Path, table: Table, plans: Sequence[SingleTask], notes: Sequence[str]) -> None:
    """Add the finished single-task models to the finished joint run: metrics, paired tests and report.

    Args:
        folder: the joint run's folder.
        table: its table.
        plans: the single-task models.
        notes: sentences for the report.

    Raises:
        TrainingError: predictions of a run are missing, damaged, or belong to other labels.
    """
    joint = [record for record in read_run(folder).records if record["model"] != SINGLE_TASK]
    alone: list[Record] = []
    items, trained = {}, {}
    for plan in plans:
        task, own = table.tasks[plan.task], plan.config.output
        for record in read_run(own).records:
            if record["model"] == "run":
                alone.append({**record, "model": SINGLE_TASK})
        gold = as_stored(table.labels(task.name, "test"))
        found = {"run": folder, SINGLE_TASK: own}
        predictions = {row: read_predictions(place, task.name, gold)[None] for row, place in found.items()}
        items[task.name] = Items(task, gold, predictions)
        trained[task.name] = {"passes": plan.passes, **_read_costs(own)}
    write_json(folder / METRICS, joint + alone)
    results = {
        "tasks": {
            name: {"metric": items[name].task.metric, "item_metric": items[name].task.item_metric, **costs}
            for name, costs in trained.items()
        },
        "tests": paired_tests(SINGLE_TASK, items),
        "run_score": {
            split: run_score([record for record in alone if record["split"] == split], table.tasks)
            for split in ("dev", "test")
        },
        "notes": list(notes),
    }
    write_json(folder / SINGLE_TASK_RESULTS, results)
    write_report(folder)


def _read_costs(folder: Path) -> dict[str, Any]:
    summary = read_summary(folder)
    return {"steps": summary["steps"], "best_step": summary["best_step"], "seconds": summary["seconds"]}
