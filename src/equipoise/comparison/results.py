"""The table as data, from `compare.jsonl` and the folders of the runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.evaluation import Items, as_stored, count_wins, delta_m, mean_interval, mean_ranks, paired_tests
from equipoise.kinds import Task, get_metric, make_analysis
from equipoise.training import read_predictions

from .plan import Cell, Plan
from .rows import EQUAL, SINGLE_TASK, Kind, Row
from .trajectories import mean_courses

Records = Mapping[str, Mapping[str, Any]]


def gather_results(plan: Plan, records: Records, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the comparison as plain data: what `compare.json` holds and the page shows.

    Args:
        plan: the rows and their cells.
        records: the finished and failed cells by key.
        notes: sentences for the page.

    Raises:
        TrainingError: predictions of a finished run are missing, or belong to other rows.
    """
    first = plan.rows[0].run
    tasks = first.table.scored
    rows = [_row(plan, row, records, {name: tasks[name] for name in plan.tasks_of(row)}) for row in plan.rows]
    items = {name: _read_items(plan, task, records) for name, task in tasks.items()}
    for row in rows:
        row["parts"] = {
            name: make_analysis(tasks[name]).score_parts(found.gold, found.predictions[row["name"]])
            for name, found in items.items()
            if row["name"] in found.predictions
        }
    _compare(rows, tasks)
    finished = [record for record in records.values() if record["status"] == "finished"]
    return {
        "name": plan.folder.name,
        "seeds": len(plan.seeds),
        "trials": len(plan.candidates),
        "tasks": {
            name: {
                "kind": task.kind,
                "metric": task.metric,
                "metrics": list(task.reported),
                "item_metric": task.item_metric,
                "test_rows": len(items[name].gold),
                "parts": make_analysis(task).describe_parts(items[name].gold),
                "part_metrics": make_analysis(task).part_metrics,
                "part_errors": make_analysis(task).part_errors,
                "class_noun": task.class_noun,
            }
            for name, task in tasks.items()
        },
        "rows": rows,
        "tests": {
            row.name: paired_tests(row.name, items)
            for row in plan.rows
            if row.kind is Kind.SINGLE_TASK or row.name == EQUAL
        },
        "failed": [
            {key: records[cell.key][key] for key in ("row", "seed", "key", "message")}
            for cell in plan.cells(records)
            if records.get(cell.key, {}).get("status") == "failed"
        ],
        "notes": list(notes),
        "run_files": {row.run.name: _describe(row) for row in plan.rows},
        "versions": finished[-1]["versions"] if finished else {},
    }


def _row(plan: Plan, row: Row, records: Records, tasks: Mapping[str, Task]) -> dict[str, Any]:
    seeds = _complete(plan, row, records)
    found = [[records[cell.key] for cell in cells] for cells in seeds.values()]
    own = [
        records[cell.key]
        for cell in plan.cells(records)
        if cell.row == row.name and records.get(cell.key, {}).get("status") == "finished"
    ]
    in_table = [record for a_seed in found for record in a_seed]
    keys = {record["key"] for record in in_table}
    trial = plan.chosen_trial(row, records) if row.kind is Kind.STATIC_TUNED else None
    single = row.kind is Kind.SINGLE_TASK
    metrics = {split: _metrics(found, tasks, split) for split in ("dev", "test")}
    whole = metrics["test"].keys() == set(plan.tasks)
    return {
        "name": row.name,
        "kind": str(row.kind),
        "run_file": row.run.name,
        "seeds": list(seeds),
        "seeds_planned": 1 if row.rival == "zero_shot" else len(plan.seeds),
        "metrics": metrics,
        "run_score": {split: _run_score(found, tasks, split) if whole else None for split in ("dev", "test")},
        "weights": None if trial is None else plan.candidates[trial],
        "epochs": {name: plan.chosen_epochs(row, name, records) for name in tasks}
        if single and plan.chooses_epochs
        else None,
        "seconds_per_step": _mean_of(in_table, "seconds_per_step"),
        "peak_memory_mb": max((record["peak_memory_mb"] for record in in_table), default=None),
        "seconds": sum(record["seconds"] for record in own),
        "seconds_choosing": sum(record["seconds"] for record in own if record["key"] not in keys),
        "trajectory": _trajectory(plan, row, seeds, records),
    }


def _trajectory(
    plan: Plan, row: Row, seeds: Mapping[int, Sequence[Cell]], records: Records
) -> dict[str, dict[str, list[float]]]:
    """The course of each task's weight and loss; those of single tasks come from runs of their own."""
    cells = [cell for cells in seeds.values() for cell in cells]
    if row.kind is not Kind.SINGLE_TASK:
        return mean_courses([plan.folder / records[cell.key]["folder"] for cell in cells], list(row.run.config.tasks))
    found: dict[str, dict[str, list[float]]] = {}
    for task in plan.tasks_of(row):
        own = [plan.folder / records[cell.key]["folder"] for cell in cells if cell.tasks == (task,)]
        found |= mean_courses(own, [task])
    return found


def _complete(plan: Plan, row: Row, records: Records) -> dict[int, list[Cell]]:
    """The cells of the seeds that are finished, for single tasks in all tasks."""
    parts = len(plan.tasks_of(row)) if row.kind is Kind.SINGLE_TASK else 1
    return {
        seed: cells
        for seed, cells in sorted(plan.seed_cells(row, records).items())
        if len(cells) == parts and all(records.get(cell.key, {}).get("status") == "finished" for cell in cells)
    }


def _metrics(found: Sequence[Sequence[Mapping[str, Any]]], tasks: Mapping[str, Task], split: str) -> dict[str, Any]:
    """Mean over seeds and interval by task and metric."""
    values: dict[tuple[str, str], list[float]] = {}
    for a_seed in found:
        for record in a_seed:
            for line in record["metrics"]:
                if line["split"] == split:
                    values.setdefault((line["task"], line["metric"]), []).append(line["value"])
    return {
        name: {
            metric: {**mean_interval(values[name, metric])._asdict(), "seeds": values[name, metric]}
            for metric in task.reported
            if (name, metric) in values
        }
        for name, task in tasks.items()
        if any(task_name == name for task_name, _ in values)
    }


def _run_score(
    found: Sequence[Sequence[Mapping[str, Any]]], tasks: Mapping[str, Task], split: str
) -> dict[str, Any] | None:
    """The run score, for single tasks of all of them together."""
    scores = []
    for a_seed in found:
        primary = [
            max(0.0, line["value"])
            for record in a_seed
            for line in record["metrics"]
            if line["split"] == split and line["metric"] == tasks[line["task"]].metric
        ]
        scores.append(sum(primary) / len(primary))
    return mean_interval(scores)._asdict() if scores else None


def _compare(rows: list[dict[str, Any]], tasks: Mapping[str, Task]) -> None:
    """Add what a row is only beside others: Δm, rank, wins, relative time and memory."""
    primary = {name: task.metric for name, task in tasks.items()}
    signs = {name: 1 if get_metric(metric).higher_is_better else -1 for name, metric in primary.items()}

    def values(row: dict[str, Any]) -> list[float]:
        return [row["metrics"]["test"][name][metric]["value"] for name, metric in primary.items()]

    # A row whose run file lacks a task cannot be summed up beside the others.
    there = [row for row in rows if row["seeds"] and row["metrics"]["test"].keys() == tasks.keys()]
    signed = np.array([[s * v for s, v in zip(signs.values(), values(row), strict=True)] for row in there])
    ranks = dict(zip((row["name"] for row in there), mean_ranks(signed).tolist() if there else [], strict=True))
    wins = dict(zip((row["name"] for row in there), count_wins(signed) if there else [], strict=True))
    by_name = {row["name"]: row for row in there}
    single, equal = by_name.get(SINGLE_TASK), by_name.get(EQUAL, by_name.get(SINGLE_TASK))
    for row in rows:
        name = row["name"]
        row["mean_rank"], row["wins"] = ranks.get(name), wins.get(name)
        row["delta_m"] = row["relative_step_time"] = row["relative_memory"] = None
        if row["seeds"] and equal is not None:
            if row["seconds_per_step"] is not None:
                row["relative_step_time"] = row["seconds_per_step"] / equal["seconds_per_step"]
            row["relative_memory"] = row["peak_memory_mb"] / equal["peak_memory_mb"]
        if name in by_name and single is not None:
            better = [sign > 0 for sign in signs.values()]
            gains = [
                delta_m(
                    [row["metrics"]["test"][task][metric]["seeds"][i] for task, metric in primary.items()],
                    values(single),
                    better,
                )
                for i in range(len(row["seeds"]))
            ]
            known = [gain for gain in gains if gain is not None]
            if known:
                row["delta_m"] = mean_interval(known)._asdict()


def _read_items(plan: Plan, task: Task, records: Records) -> Items:
    gold = as_stored(plan.rows[0].run.table.labels(task.name, "test"))
    predictions = {}
    for row in plan.rows:
        cells = [
            cell
            for cells in _complete(plan, row, records).values()
            for cell in cells
            if any(line["task"] == task.name for line in records[cell.key]["metrics"])
        ]
        if cells:
            predictions[row.name] = np.stack(
                [read_predictions(plan.folder / records[cell.key]["folder"], task.name, gold) for cell in cells]
            )
    return Items(task, gold, predictions)


def _mean_of(records: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [record[key] for record in records if record[key] is not None]
    return float(np.mean(values)) if values else None


def _describe(row: Row) -> dict[str, Any]:
    data = row.run.config.model_dump(mode="json", exclude={"balance", "output"})
    return {**data, "train": {key: value for key, value in data["train"].items() if key != "seed"}}
