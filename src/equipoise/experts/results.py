"""The table expert × task as data."""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.config import RunConfig
from equipoise.evaluation import Record, run_score
from equipoise.kinds import Task
from equipoise.training import SingleTask, read_run, read_summary

from .scoring import BASE

_SPLITS = ("dev", "test")


def gather_results(
    plans: Sequence[SingleTask],
    config: RunConfig,
    records: Mapping[str | None, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the page and the terminal show.

    Args:
        plans: one a task.
        config: the run file.
        records: the lines of `experts.jsonl` by expert, None for the base.

    Returns:
        "name" and "model" of the run file; "tasks": by name kind, format, metric, group, rows of test, and how its
        expert was trained; "rows": the base first, then the experts, each with its "name", its task ("expert"), by task
        its "cells", and by split the "metrics" (primary metric by task) and the "run_score" (None where a cell is
        empty); "own": by split the run score of all experts, each on its own task; "notes".
    """
    tasks = {plan.task: plan.table.tasks[plan.task] for plan in plans}
    rows = []
    own: dict[str, list[Record]] = {split: [] for split in _SPLITS}
    for expert in (None, *tasks):
        record = records[expert]
        by_split = {split: [line for line in record["metrics"] if line["split"] == split] for split in _SPLITS}
        metrics = {
            split: {line["task"]: line for line in lines if line["metric"] == tasks[line["task"]].metric}
            for split, lines in by_split.items()
        }
        rows.append(
            {
                "name": expert or BASE,
                "expert": expert,
                "cells": record["cells"],
                "metrics": metrics,
                "run_score": {
                    split: run_score(lines, tasks) if metrics[split].keys() == tasks.keys() else None
                    for split, lines in by_split.items()
                },
            }
        )
        for split, lines in by_split.items():
            own[split] += [line for line in lines if line["task"] == expert]
    return {
        "name": config.output.name,
        "model": config.model,
        "tasks": {plan.task: _describe(plan, config) for plan in plans},
        "rows": rows,
        "own": {split: run_score(lines, tasks) for split, lines in own.items()},
        "notes": _empty_cells(rows, tasks),
    }


def _describe(plan: SingleTask, config: RunConfig) -> dict[str, Any]:
    task, folder = plan.table.tasks[plan.task], plan.config.output
    read_run(folder)  # a damaged run says so
    summary = read_summary(folder)
    return {
        "kind": task.summary,
        "format": task.format,
        "metric": task.metric,
        "group": config.tasks[plan.task].group,
        "rows": {split: len(dataset) for split, dataset in plan.table.splits.items()},
        "passes": plan.passes,
        "steps": summary["steps"],
        "best_step": summary["best_step"],
        "seconds": summary["seconds"],
        "parameters": summary["parameters"],
    }


def _empty_cells(rows: Sequence[Mapping[str, Any]], tasks: Mapping[str, Task]) -> list[str]:
    """Say which cells are empty, and why."""
    by_task: dict[str, list[str]] = {}
    for row in rows:
        for task, cell in row["cells"].items():
            if cell["how"] == "none":
                by_task.setdefault(task, []).append(row["name"])
    return [
        f"Task '{task}' is answered by a head that reads tokens, which no linear probe stands for. The cells of "
        f"{', '.join(names)} are empty: only its own expert has that head."
        if tasks[task].has_token_head
        else f"Task '{task}' prompts a language model. The experts of {', '.join(names)} answer by a head and "
        "cannot be prompted: their cells are empty."
        for task, names in by_task.items()
    ]
