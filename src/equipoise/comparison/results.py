"""The results of a comparison, from `compare.jsonl` and the folders of the runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from equipoise.evaluation import Items, as_stored, count_wins, delta_m, mean_interval, mean_ranks, paired_tests
from equipoise.kinds import Task, get_metric, make_analysis
from equipoise.reporting import (
    ComparedRow,
    ComparedTask,
    ComparisonResults,
    Course,
    Estimate,
    FailedTraining,
    SeedsEstimate,
    read_tests,
)
from equipoise.training import read_predictions

from .plan import Plan
from .records import FinishedRecord, Records, get_finished
from .rows import EQUAL, SINGLE_TASK, Kind, Row
from .run_files import RunFile
from .trajectories import mean_courses

Seeds = Mapping[int, Sequence[FinishedRecord]]
"""The finished trainings of a row by seed: one, or of single tasks one per task."""


def gather_results(plan: Plan, records: Records, notes: Sequence[str] = ()) -> ComparisonResults:
    """Return what `compare.json` holds and the page shows.

    Args:
        plan: the rows and their cells.
        records: the finished and failed cells by key.
        notes: sentences for the page.

    Raises:
        TrainingError: predictions of a finished run are missing, or belong to other rows.
    """
    tasks = plan.rows[0].run.table.scored
    seeds = {row.name: _finished_seeds(plan, row, records) for row in plan.rows}
    items = {name: _read_items(plan, task, seeds) for name, task in tasks.items()}
    rows = [_measure(plan, row, records, seeds[row.name], items) for row in plan.rows]
    finished = [record for record in records.values() if record["status"] == "finished"]
    return ComparisonResults(
        name=plan.folder.name,
        seeds=len(plan.seeds),
        trials=len(plan.candidates),
        tasks={name: _describe_task(task, items[name].gold) for name, task in tasks.items()},
        rows=_rank(rows, tasks),
        tests={
            row.name: read_tests(paired_tests(row.name, items))
            for row in plan.rows
            if row.kind is Kind.SINGLE_TASK or row.name == EQUAL
        },
        failed=_list_failed(plan, records),
        notes=list(notes),
        run_files={row.run.name: _describe_run_file(row.run) for row in plan.rows},
        versions=finished[-1]["versions"] if finished else {},
    )


def _finished_seeds(plan: Plan, row: Row, records: Records) -> Seeds:
    """Return the seeds of a row that are finished, for single tasks in all tasks."""
    trainings = len(plan.tasks_of(row)) if row.kind is Kind.SINGLE_TASK else 1
    seeds = {
        seed: [record for cell in cells if (record := get_finished(records, cell.key)) is not None]
        for seed, cells in sorted(plan.seed_cells(row, records).items())
    }
    return {seed: of_seed for seed, of_seed in seeds.items() if len(of_seed) == trainings}


def _read_items(plan: Plan, task: Task, seeds: Mapping[str, Seeds]) -> Items:
    gold = as_stored(plan.rows[0].run.table.labels(task.name, "test"))
    predictions = {}
    for row, of_row in seeds.items():
        folders = [
            plan.folder / record["folder"]
            for record in _flatten(of_row)
            if any(line["task"] == task.name for line in record["metrics"])
        ]
        if folders:
            predictions[row] = np.stack([read_predictions(folder, task.name, gold) for folder in folders])
    return Items(task, gold, predictions)


def _describe_task(task: Task, gold: npt.NDArray[Any]) -> ComparedTask:
    analysis = make_analysis(task)
    return ComparedTask(
        kind=task.kind,
        metric=task.metric,
        metrics=list(task.reported),
        item_metric=task.item_metric,
        test_rows=len(gold),
        parts=analysis.describe_parts(gold),
        part_metrics=analysis.part_metrics,
        part_errors=analysis.part_errors,
        class_noun=task.class_noun,
        counted=task.counted,
    )


def _measure(plan: Plan, row: Row, records: Records, seeds: Seeds, items: Mapping[str, Items]) -> ComparedRow:
    """Return a row by itself, without what it is only beside others."""
    tasks = {name: items[name].task for name in plan.tasks_of(row)}
    in_table = _flatten(seeds)
    cells = [cell.key for cell in plan.cells(records) if cell.row == row.name]
    trained = [record for key in cells if (record := get_finished(records, key)) is not None]
    chosen = {record["key"] for record in in_table}
    trial = plan.chosen_trial(row, records) if row.kind is Kind.STATIC_TUNED else None
    chooses_epochs = row.kind is Kind.SINGLE_TASK and plan.chooses_epochs
    metrics = {split: _metrics(in_table, tasks, split) for split in ("dev", "test")}
    is_whole = metrics["test"].keys() == set(plan.tasks)
    step_times = [seconds for record in in_table if (seconds := record["seconds_per_step"]) is not None]
    return ComparedRow(
        name=row.name,
        kind=str(row.kind),
        run_file=row.run.name,
        seeds=list(seeds),
        seeds_planned=len(plan.seeds_of(row)),
        metrics=metrics,
        run_score={split: _run_score(seeds, tasks, split) if is_whole else None for split in ("dev", "test")},
        weights=None if trial is None else plan.candidates[trial],
        epochs={name: plan.chosen_epochs(row, name, records) for name in tasks} if chooses_epochs else None,
        seconds_per_step=float(np.mean(step_times)) if step_times else None,
        peak_memory_mb=max((record["peak_memory_mb"] for record in in_table), default=None),
        seconds=sum(record["seconds"] for record in trained),
        seconds_choosing=sum(record["seconds"] for record in trained if record["key"] not in chosen),
        trajectory=_trajectory(plan, row, in_table),
        parts={
            name: make_analysis(task).score_parts(gold, predictions[row.name])
            for name, (task, gold, predictions) in items.items()
            if row.name in predictions
        },
    )


def _flatten(seeds: Seeds) -> list[FinishedRecord]:
    return [record for of_seed in seeds.values() for record in of_seed]


def _trajectory(plan: Plan, row: Row, records: Sequence[FinishedRecord]) -> dict[str, Course]:
    """Return the course of each task's weight and loss; those of single tasks come from runs of their own."""
    if row.kind is not Kind.SINGLE_TASK:
        return mean_courses([plan.folder / record["folder"] for record in records], list(row.run.config.tasks))
    courses: dict[str, Course] = {}
    for task in plan.tasks_of(row):
        courses |= mean_courses([plan.folder / one["folder"] for one in records if one["tasks"] == [task]], [task])
    return courses


def _metrics(
    records: Iterable[FinishedRecord], tasks: Mapping[str, Task], split: str
) -> dict[str, dict[str, SeedsEstimate]]:
    """Return the mean over seeds and its interval by task and metric."""
    values: dict[str, dict[str, list[float]]] = {}
    for record in records:
        for line in record["metrics"]:
            if line["split"] == split:
                values.setdefault(line["task"], {}).setdefault(line["metric"], []).append(line["value"])
    return {
        name: {
            metric: SeedsEstimate(*mean_interval(values[name][metric]), values[name][metric])
            for metric in task.reported
            if metric in values[name]
        }
        for name, task in tasks.items()
        if name in values
    }


def _run_score(seeds: Seeds, tasks: Mapping[str, Task], split: str) -> Estimate | None:
    """Return the run score, for single tasks of all of them together."""
    scores = []
    for records in seeds.values():
        primary = [
            max(0.0, line["value"])
            for record in records
            for line in record["metrics"]
            if line["split"] == split and line["metric"] == tasks[line["task"]].metric
        ]
        scores.append(sum(primary) / len(primary))
    return Estimate(*mean_interval(scores)) if scores else None


def _rank(rows: Sequence[ComparedRow], tasks: Mapping[str, Task]) -> list[ComparedRow]:
    """Return the rows with what they are only beside others: Δm, rank, wins, relative time and memory."""
    signs = {name: 1 if get_metric(task.metric).higher_is_better else -1 for name, task in tasks.items()}
    # A row whose run file lacks a task cannot be summed up beside the others.
    whole = {row.name: row for row in rows if row.seeds and row.metrics["test"].keys() == tasks.keys()}
    signed = [
        [sign * row.metrics["test"][name][tasks[name].metric].value for name, sign in signs.items()]
        for row in whole.values()
    ]
    ranks = dict(zip(whole, mean_ranks(signed).tolist() if whole else [], strict=True))
    wins = dict(zip(whole, count_wins(signed) if whole else [], strict=True))
    single = whole.get(SINGLE_TASK)
    equal = whole.get(EQUAL, single)
    step_time, memory = (None, None) if equal is None else (equal.seconds_per_step, equal.peak_memory_mb)
    return [
        replace(
            row,
            mean_rank=ranks.get(row.name),
            wins=wins.get(row.name),
            delta_m=_delta_m(row, single, tasks) if row.name in whole and single is not None else None,
            relative_step_time=_ratio(row.seconds_per_step, step_time),
            relative_memory=_ratio(row.peak_memory_mb, memory),
        )
        for row in rows
    ]


def _delta_m(row: ComparedRow, single: ComparedRow, tasks: Mapping[str, Task]) -> Estimate | None:
    """Return Δm over the mean of single-task, averaged over the row's seeds; None where it is not defined."""
    metrics = {name: task.metric for name, task in tasks.items()}
    own, reference = ([of.metrics["test"][name][metric] for name, metric in metrics.items()] for of in (row, single))
    higher_is_better = [get_metric(metric).higher_is_better for metric in metrics.values()]
    gains = [
        gain
        for i in range(len(row.seeds))
        if (gain := delta_m([one.seeds[i] for one in own], [one.value for one in reference], higher_is_better))
        is not None
    ]
    return Estimate(*mean_interval(gains)) if gains else None


def _ratio(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else value / reference


def _list_failed(plan: Plan, records: Records) -> list[FailedTraining]:
    known = [records[cell.key] for cell in plan.cells(records) if cell.key in records]
    return [
        FailedTraining(record["row"], record["seed"], record["key"], record["message"])
        for record in known
        if record["status"] == "failed"
    ]


def _describe_run_file(run: RunFile) -> dict[str, Any]:
    """Return what a run file says, without what the comparison sets itself."""
    return run.config.model_dump(mode="json", exclude={"balance": True, "output": True, "train": {"seed"}})
