"""The table of a merge as data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.evaluation import Items, as_stored, paired_tests
from equipoise.training import SingleTask, read_predictions

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


def gather_results(
    config: RunConfig,
    table: Table,
    plans: Sequence[SingleTask],
    cells: Mapping[str, Mapping[str, Any]],
    stages: Mapping[str, Sequence[Stage]],
    folder: Path,
) -> dict[str, Any]:
    """Return what the page and the terminal show.

    Args:
        config: the run file.
        table: its table.
        plans: what each expert is.
        cells: the lines of `merge.jsonl` by name.
        stages: the searches of each evolved row.
        folder: the merge's folder.

    Returns:
        "name", "model", "operator" and "objectives" of the run file; whether weak rows are "unseen" by the experts;
        whether last layers are "refit"; "tasks": by name kind, metric, group, rows, weak data; "rows": each with
        "name", by split "metrics" (primary metric by task) and "run_score", and all "records" on test; "best": the
        evolved row that is best on dev; "tests": of every row against it, paired, Holm-corrected; "kept": the share of
        the experts' own scores that each row keeps; "searches": of each stage its candidates, finalists and choice;
        "heat_map": dev metric by expert and task; "seconds" by cell; "notes".
    """
    rows = []
    notes = list(table.notes)
    for name, cell in cells.items():
        if not name.startswith("row:"):
            continue
        row = name.removeprefix("row:")
        if "left_out" in cell:
            notes.append(f"Row '{row}' is left out: {cell['left_out']}.")
            continue
        notes += [f"Row '{row}': {note}" for note in cell.get("notes", [])]
        rows.append(
            {
                "name": row,
                "about": ABOUT.get(row, ""),
                "metrics": {
                    split: {
                        one["task"]: one
                        for one in cell["metrics"]
                        if one["split"] == split and one["metric"] == table.tasks[one["task"]].metric
                    }
                    for split in SPLITS
                },
                "records": [one for one in cell["metrics"] if one["split"] == "test"],
                "run_score": cell["run_score"],
                "recipe": cell.get("recipe"),
                "tried": cell.get("tried"),
            }
        )
    evolved = [row for row in rows if row["name"] in {f"evolved:{stage}" for stage in stages}]
    best = max(evolved, key=lambda row: row["run_score"]["dev"])["name"].removeprefix("evolved:")
    weak = cells["weak"]["tasks"]
    own = next(row for row in rows if row["name"] == "experts")["metrics"]
    ours = [f"evolved:{stage}{shown}" for stage in stages for shown in ("", " + demonstrations")]
    order = ["base", "base + demonstrations", "experts", "joint", *config.merge.baselines, *ours]
    rows.sort(key=lambda row: order.index(row["name"]))
    return {
        "name": config.output.name,
        "model": config.model,
        "operator": config.merge.operator.model_dump(),
        "objectives": config.merge.objectives,
        "unseen": config.merge.weak.unseen,
        "refit": config.merge.refit and any(not task.is_prompted for task in table.scored.values()),
        "tasks": {
            name: {
                "kind": task.summary,
                "format": task.format,
                "metric": task.metric,
                "group": config.tasks[name].group,
                "rows": {split: len(table.rows(name, split)) for split in table.splits},
                "weak": {**weak[name], "rows": len(weak[name]["rows"]), "fit": len(weak[name]["fit"])},
            }
            for name, task in table.scored.items()
        },
        "rows": rows,
        "best": best,
        "kept": {row["name"]: _kept(row["metrics"]["test"], own["test"]) for row in rows},
        "tests": _tests(f"evolved:{best}", rows, table, plans, config, folder),
        "searches": {stage.name: _search(stage, cells) for found in stages.values() for stage in found},
        "heat_map": {name: cells[f"expert:{name}"]["scores"] for name in table.scored},
        "seconds": {name: cell["seconds"] + cell.get("seconds_searched", 0.0) for name, cell in cells.items()},
        "notes": notes,
    }


def _kept(metrics: Mapping[str, Any], own: Mapping[str, Any]) -> float | None:
    """The mean over tasks of a row's metric as a share of the expert's own; tasks whose expert has 0 are left out."""
    shares = [max(0.0, one["value"]) / own[task]["value"] for task, one in metrics.items() if own[task]["value"] > 0]
    return float(np.mean(shares)) if shares else None


def _tests(
    reference: str,
    rows: Sequence[Mapping[str, Any]],
    table: Table,
    plans: Sequence[SingleTask],
    config: RunConfig,
    folder: Path,
) -> list[dict[str, Any]]:
    experts = {plan.task: plan.config.output for plan in plans}
    items = {}
    for name, task in table.scored.items():
        gold = as_stored(table.labels(name, "test"))
        predictions = {}
        for row in rows:
            if name not in row["metrics"]["test"]:
                continue
            place = folder / PREDICTIONS / row["name"]
            place = {"experts": experts[name], "joint": config.output}.get(row["name"], place)
            predictions[row["name"]] = read_predictions(place, name, gold)[None]
        items[name] = Items(task, gold, predictions)
    return paired_tests(reference, items)


def _search(stage: Stage, cells: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    found = cells[f"search:{stage.name}"]
    fitness = {one["number"]: one["fitness"] for one in found["candidates"]}
    scored = [(fitness[int(number)], dev) for number, dev in found["finalists"].items()]
    agreement = None
    if len(scored) > 2 and len({one for one, _ in scored}) > 1 and len({dev for _, dev in scored}) > 1:
        agreement = float(spearmanr(*zip(*scored, strict=True)).statistic)
    return {
        **{key: found[key] for key in ("chosen", "recipe", "finalists", "dev", "seconds_searched", "candidates")},
        "members": {name: list(tasks) for name, tasks in stage.members.items()},
        "agreement": agreement,
    }
