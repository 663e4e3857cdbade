"""The table of a merge as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.evaluation import Items, Record, as_stored, paired_tests
from equipoise.reporting import (
    Candidate,
    CellTime,
    MergeResults,
    RowKind,
    RowResult,
    SearchResult,
    TaskResult,
    WeakCounts,
)
from equipoise.training import SingleTask, read_predictions

from .cells import EXPERTS, JOINT, WEAK, Cell, CellKind, Row, list_rows
from .folder import PREDICTIONS
from .rows import SPLITS
from .stages import Stage

ABOUT = {
    "base": "the model before training",
    "base + demonstrations": "the same, shown examples",
    "experts": "each expert on its own task",
    "joint": "one model trained on all tasks",
    "uniform": "the average of the experts",
    "task_arithmetic": "one coefficient for all experts, chosen on dev",
    "peft_linear": "peft's default merge of LoRA adapters",
    "regmean": "layers that answer as each expert does on its inputs",
    "fisher": "averaged by each expert's Fisher information",
    "adamerging": "coefficients that make it sure of itself",
    "evolved:one": "evolved, all experts at once",
    "evolved:two": "evolved, first within groups, then across",
    "evolved:one + demonstrations": "the same, shown examples",
    "evolved:two + demonstrations": "the same, shown examples",
}
"""What rows are; the others are operators (docs/merging.md)."""


@dataclass(frozen=True)
class SearchPlan:
    """A search of a run file, as far as it is finished.

    Args:
        config: the run file.
        table: its table.
        plans: what each expert is.
        stages: the searches of each evolved row.
        folder: the search's folder.
    """

    config: RunConfig
    table: Table
    plans: Sequence[SingleTask]
    stages: Mapping[str, Sequence[Stage]]
    folder: Path

    @property
    def all_stages(self) -> list[Stage]:
        """The searches of all evolved rows."""
        return [stage for stages in self.stages.values() for stage in stages]


Cells = Mapping[str, Mapping[str, Any]]
"""The lines of `merge.jsonl` by cell."""


def gather_results(search: SearchPlan, cells: Cells) -> MergeResults:
    """Return what the page and the terminal show.

    Args:
        search: the search.
        cells: its finished cells.
    """
    config, table = search.config, search.table
    planned = [row for row in list_rows(config.merge.baselines, search.stages) if row.cell.key in cells]
    rows = [_row(row, cells[row.cell.key], table) for row in planned if "left_out" not in cells[row.cell.key]]
    evolved = {row.name: row.subject for row in planned if row.kind is RowKind.EVOLVED and not row.demonstrations}
    best_row = max((row for row in rows if row["name"] in evolved), key=lambda row: row["run_score"]["dev"])["name"]
    own = next(row for row in rows if row["name"] == EXPERTS.name)["metrics"]["test"]
    return {
        "name": config.output.name,
        "model": config.model,
        "operator": config.merge.operator.model_dump(),
        "objectives": config.merge.objectives,
        "unseen": config.merge.weak.unseen,
        "refit": config.merge.refit and any(not task.is_prompted for task in table.scored.values()),
        "tasks": _tasks(search, cells),
        "rows": rows,
        "best": evolved[best_row],
        "best_row": best_row,
        "kept": {row["name"]: _kept(row["metrics"]["test"], own) for row in rows},
        "tests": _tests(best_row, rows, search),
        "searches": {stage.name: _search(stage, cells, config) for stage in search.all_stages},
        "heat_map": {name: cells[Cell(CellKind.EXPERT, name).key]["scores"] for name in table.scored},
        "times": _times(search, planned, cells),
        "notes": [*table.notes, *(note for row in planned for note in _notes(row, cells[row.cell.key]))],
    }


def _row(row: Row, cell: Mapping[str, Any], table: Table) -> RowResult:
    def primary(split: str) -> dict[str, Record]:
        own = [one for one in cell["metrics"] if one["split"] == split]
        return {one["task"]: one for one in own if one["metric"] == table.tasks[one["task"]].metric}

    return {
        "name": row.name,
        "kind": row.kind,
        "demonstrations": row.demonstrations,
        "about": ABOUT.get(row.name, ""),
        "metrics": {split: primary(split) for split in SPLITS},
        "records": [one for one in cell["metrics"] if one["split"] == "test"],
        "run_score": cell["run_score"],
        "recipe": cell.get("recipe"),
        "tried": cell.get("tried"),
    }


def _notes(row: Row, cell: Mapping[str, Any]) -> list[str]:
    if "left_out" in cell:
        return [f"Row '{row.name}' is left out: {cell['left_out']}."]
    return [f"Row '{row.name}': {note}" for note in cell.get("notes", [])]


def _tasks(search: SearchPlan, cells: Cells) -> dict[str, TaskResult]:
    table, weak = search.table, cells[WEAK.key]["tasks"]
    return {
        name: {
            "kind": task.summary,
            "format": task.format,
            "metric": task.metric,
            "group": search.config.tasks[name].group,
            "rows": {split: len(table.rows(name, split)) for split in table.splits},
            "weak": _weak(weak[name]),
        }
        for name, task in table.scored.items()
    }


def _weak(task: Mapping[str, Any]) -> WeakCounts:
    return {
        "rows": len(task["rows"]),
        "fit": len(task["fit"]),
        "weak": task["weak"],
        "wrong": task["wrong"],
        "suspected": task["suspected"],
        "read": task["read"],
    }


def _times(search: SearchPlan, rows: Sequence[Row], cells: Cells) -> list[CellTime]:
    planned = [
        WEAK,
        *(Cell(CellKind.SEARCH, stage.name) for stage in search.all_stages),
        *(row.cell for row in rows),
        *(Cell(CellKind.EXPERT, name) for name in search.table.scored),
    ]

    def seconds(cell: Cell) -> float:
        return float(cells[cell.key]["seconds"] + cells[cell.key].get("seconds_searched", 0.0))

    return [{"kind": cell.kind, "name": cell.name, "seconds": seconds(cell)} for cell in planned]


def _kept(metrics: Mapping[str, Record], own: Mapping[str, Record]) -> float | None:
    """The mean over tasks of a row's metric as a share of the expert's own; tasks whose expert has 0 are left out."""
    shares = [max(0.0, one["value"]) / own[task]["value"] for task, one in metrics.items() if own[task]["value"] > 0]
    return float(np.mean(shares)) if shares else None


def _tests(reference: str, rows: Sequence[RowResult], search: SearchPlan) -> list[dict[str, Any]]:
    experts = {plan.task: plan.config.output for plan in search.plans}
    items = {}
    for name, task in search.table.scored.items():
        gold = as_stored(search.table.labels(name, "test"))
        predictions = {}
        for row in rows:
            if name not in row["metrics"]["test"]:
                continue
            place = search.folder / PREDICTIONS / row["name"]
            place = {EXPERTS.name: experts[name], JOINT.name: search.config.output}.get(row["name"], place)
            predictions[row["name"]] = read_predictions(place, name, gold)[None]
        items[name] = Items(task, gold, predictions)
    return paired_tests(reference, items)


def _candidate(line: Mapping[str, Any]) -> Candidate:
    return {
        "number": line["number"],
        "numbers": line["numbers"],
        "start": line["start"],
        "fitness": line["fitness"],
        "tasks": line["tasks"],
        # A journal of an earlier version calls folds heats.
        "folds": line["folds"] if "folds" in line else line["heats"],
        "rows": line["rows"],
    }


def _search(stage: Stage, cells: Cells, config: RunConfig) -> SearchResult:
    cell = cells[Cell(CellKind.SEARCH, stage.name).key]
    fitness = {one["number"]: one["fitness"] for one in cell["candidates"]}
    scored = [(fitness[int(number)], dev) for number, dev in cell["finalists"].items()]
    agreement = None
    if len(scored) > 2 and len({one for one, _ in scored}) > 1 and len({dev for _, dev in scored}) > 1:
        from scipy.stats import spearmanr

        agreement = float(spearmanr(*zip(*scored, strict=True)).statistic)
    return {
        "chosen": cell["chosen"],
        "recipe": cell["recipe"],
        "finalists": cell["finalists"],
        "dev": cell["dev"],
        "seconds_searched": cell["seconds_searched"],
        "candidates": [_candidate(one) for one in cell["candidates"]],
        "members": {name: list(tasks) for name, tasks in stage.members.items()},
        "parameters": stage.space(config).describe(),
        "agreement": agreement,
    }
