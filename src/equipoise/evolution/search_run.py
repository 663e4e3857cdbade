"""A merge from the run file to the page: experts, baselines, searches, one table."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from equipoise.config import RunConfig, load_config
from equipoise.data import Table, load_table
from equipoise.errors import UsageError
from equipoise.evaluation import choose_prompted
from equipoise.experts import ensure_experts
from equipoise.files import replace_folder, write_json
from equipoise.kinds import task_from_dict
from equipoise.progress import progress
from equipoise.reporting import MergeResults, RowKind, write_merge
from equipoise.studies import forget, open_storage
from equipoise.training import MERGE, SingleTask, train_one
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .baselines import baseline_recipes, collect_for, learn_adamerging, peft_linear
from .cells import BASE, BASE_SHOWN, EXPERTS, JOINT, WEAK, Cell, CellKind, Row
from .fitness import Folds
from .folder import MODEL, SEARCHES, MergeFolder
from .mining import choose_weak
from .recipes import Recipe
from .results import SearchPlan, gather_results
from .rows import score_applied, score_base, score_experts, score_joint, score_shown
from .searching import choose, dev_scores, make_search, run_search
from .stages import Stage, plan_stages
from .unseen import UNSEEN, with_unseen
from .workbench import Indices, Workbench

_FOLDS = 6
_STORAGE = "merge.storage"
_FORMER = {"baselines": "rivals"}
Vector = Mapping[str, Tensor]


class Evolved(NamedTuple):
    """What a merge found.

    Args:
        folder: its folder; the best evolved model lies in `model/`.
        results: the table as plain data.
    """

    folder: Path
    results: MergeResults


def evolve(run_file: str | Path | RunConfig, overrides: Sequence[str] = (), *, overwrite: bool = False) -> Evolved:
    """Merge the experts of a run file by evolutionary search, and compare it with baselines.

    Trains what is missing: the experts in `OUTPUT/experts`, and the joint model in `OUTPUT` (merge.joint). Candidates
    are scored on weak training rows (see `mine_weak`), dev chooses among the fittest, and test is scored once a row.
    Called again it continues; called several times at once, the processes share the work.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        overwrite: discard the merge that lies there; experts and joint model stay.

    Raises:
        UsageError: the run file is wrong, or its merge cannot be: a group is missing, the budget is too small.
        DataError: a file or a label is wrong, or there is no weak data.
        ModelError: a model cannot be loaded or merged.
        TrainingError: the folder holds something else, the storage cannot be reached, or training was stopped.
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder = MergeFolder(config.output / MERGE)
    folder.check(inputs_of(config))
    table = load_table(config)
    stages = plan_stages(config, list(table.scored))
    if config.merge.weak.unseen:
        table = with_unseen(config, table)
    if config.merge.storage is not None:
        open_storage(config.merge.storage, _STORAGE)
    with explain_stop():
        plans = ensure_experts(config)
        if config.merge.joint:
            train_one(config, resume=True)
        run = _Run(config, table, folder, stages, plans)
        run.open(overwrite)
        results = run.finish()
    return Evolved(folder.path, results)


class _Run:
    """One merge in its folder."""

    def __init__(
        self,
        config: RunConfig,
        table: Table,
        folder: MergeFolder,
        stages: Mapping[str, list[Stage]],
        plans: Sequence[SingleTask],
    ) -> None:
        self.config, self.table, self.folder, self.stages, self.plans = config, table, folder, stages, plans
        self.data = describe_inputs(table, config.model)
        # Under former names, so that a search of an earlier version continues.
        settings = {_FORMER.get(key, key): value for key, value in config.merge.model_dump(mode="json").items()}
        identity = [self.data["fingerprint"], settings, config.train.seed, config.model]
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        self.study = f"{config.output.name}-{digest[:8]}"
        self.searched = UNSEEN if config.merge.weak.unseen else "train"

    def open(self, overwrite: bool) -> None:
        if overwrite and self.config.merge.storage is not None:
            for stages in self.stages.values():
                for stage in stages:
                    forget(self.storage, self._study(stage))
        self.folder.start(self.config, {**self.data, "notes": self.table.notes}, restart=overwrite)

    @property
    def _dev_rows(self) -> int:
        return sum(len(self.table.rows(task, "dev")) for task in self.table.scored)

    @property
    def storage(self) -> Any:
        return open_storage(self.config.merge.storage or str(self.folder.path / SEARCHES), _STORAGE)

    def finish(self) -> MergeResults:
        """Compute what is not finished, write the model and the page, and return the table."""
        bench = Workbench(self.config, self.table, [plan.config.output for plan in self.plans])
        # Thresholds of multilabel tasks are those their experts chose.
        tuned = replace(self.table, tasks={**self.table.tasks, **bench.model.tasks})
        weak = self.folder.cell(WEAK.key, lambda: choose_weak(bench, self.searched))
        evolved = {row: self._search(row, stages, bench, tuned, weak["tasks"]) for row, stages in self.stages.items()}
        self.folder.all_cells(self._rows(bench, evolved))
        self.folder.all_cells(self._alone(bench))
        cells = self.folder.cells
        plan = SearchPlan(self.config, self.table, self.plans, self.stages, self.folder.path)
        results = gather_results(plan, cells)
        best = Row(RowKind.EVOLVED, results["best"])
        with self.folder.hold("page"):
            if not (self.folder.path / MODEL / "equipoise.json").exists():
                self._save_model(bench, evolved[best.subject], cells[best.cell.key]["tasks"])
            write_json(self.folder.path / "merge.json", results)
            write_merge(self.folder.path, results)
        return results

    def _save_model(self, bench: Workbench, vector: Vector, tasks: Mapping[str, Any]) -> None:
        """Write the model of a merged task vector, its tasks with the thresholds that dev chose."""
        train = {task: self.table.rows(task, "train") for task in self.table.scored}
        with (
            replace_folder(self.folder.path / MODEL) as target,
            bench.applied(vector),
            bench.refitted(train, by_dev=True),
            torch.no_grad(),
        ):
            own = {name: task_from_dict(task) for name, task in tasks.items()}
            bench.model.with_tasks(own).save_pretrained(target)

    def _search(
        self, row: str, stages: Sequence[Stage], bench: Workbench, tuned: Table, weak: Mapping[str, Any]
    ) -> Vector:
        """Run the searches of an evolved row, and return its merged task vector."""
        groups: dict[str, Vector] = {}
        for stage in stages:
            # A group of one is its expert; a group may be called what a task is called.
            own = {
                name: groups[name] if len(tasks) > 1 else bench.task_vectors[tasks[0]]
                for name, tasks in stage.members.items()
            }
            fit = self._fit_rows(weak, stage.tasks)

            opened = make_search(stage, self._study(stage), bench, own, self.storage)
            cell = Cell(CellKind.SEARCH, stage.name).key
            if cell not in self.folder.cells:
                chosen = {task: weak[task]["rows"] for task in stage.tasks}
                tasks = {task: tuned.tasks[task] for task in stage.tasks}
                folds = Folds.draw(tuned, tasks, self.searched, chosen, folds=_FOLDS, seed=self.config.train.seed)
                # Not a cell: any number of processes take part.
                run_search(stage, opened, bench, own, folds, fit)
            found = self.folder.cell(cell, partial(choose, stage, opened, bench, own, fit))
            merged = Recipe(**found["recipe"]).merge(own, bench.tensors, bench.linear)
            groups[stage.part] = merged
        return merged

    def _fit_rows(self, weak: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Indices]:
        """The training rows that last layers of candidates are fitted to: others than candidates are scored on."""
        return {task: self.table.rows(task, "train")[weak[task]["fit"]] for task in tasks}

    def _study(self, stage: Stage) -> str:
        return f"{self.study}/{stage.name}"

    def _rows(self, bench: Workbench, evolved: Mapping[str, Vector]) -> dict[str, Callable[[], dict[str, Any]]]:
        """The cells of all rows."""
        folder, plans, config = self.folder.path, self.plans, self.config
        work: dict[Row, Callable[[], dict[str, Any]]] = {
            BASE: lambda: score_base(BASE.name, plans, self.table, config, folder),
            EXPERTS: lambda: score_experts(EXPERTS.name, plans, self.table),
        }
        shown = self._can_show(bench)
        if shown:
            work[BASE_SHOWN] = lambda: score_shown(BASE_SHOWN.name, bench, folder)
        for baseline in config.merge.baselines:
            work[Row(RowKind.BASELINE, baseline)] = partial(self._baseline, baseline, bench)
        if config.merge.joint:
            work[JOINT] = lambda: score_joint(JOINT.name, config.output, self.table)

        def score(row: Row, how: Callable[[str, Workbench, Path], dict[str, Any]]) -> dict[str, Any]:
            with bench.applied(evolved[row.subject]):
                return how(row.name, bench, folder)

        for stage in evolved:
            row = Row(RowKind.EVOLVED, stage)
            work[row] = partial(score, row, score_applied)
        if shown:
            # These rows take the most time, so there is one for the evolved model that its search's dev prefers.
            last = {stage: Cell(CellKind.SEARCH, self.stages[stage][-1].name).key for stage in evolved}
            best = max(evolved, key=lambda stage: self.folder.cells[last[stage]]["dev"])
            row = Row(RowKind.EVOLVED, best, demonstrations=True)
            work[row] = partial(score, row, score_shown)
        return {row.cell.key: compute for row, compute in work.items()}

    def _baseline(self, name: str, bench: Workbench) -> dict[str, Any]:
        if name == "peft_linear":
            merged = peft_linear(bench.vectors)
            if merged is None:
                return {"left_out": "peft merges LoRA adapters only, and some experts are none"}
            with bench.applied(merged):
                return score_applied(name, bench, self.folder.path)
        if name == "adamerging":
            merged, notes = learn_adamerging(bench)
            with bench.applied(merged):
                return {**score_applied(name, bench, self.folder.path), "notes": notes}
        statistics = collect_for(name, bench) if name in ("regmean", "fisher") else None
        recipes = baseline_recipes(name, list(bench.vectors), self.config.merge.scales, self.config.train.seed)
        tried: list[float] = []
        fit = self._fit_rows(self.folder.cells[WEAK.key]["tasks"], list(self.table.scored))
        if len(recipes) > 1:
            with progress(f"Choosing {name} on dev", len(recipes) * self._dev_rows, "row") as bar:
                for recipe in recipes:
                    merged = recipe.merge(bench.task_vectors, bench.tensors, bench.linear)
                    with bench.applied(merged), bench.refitted(fit, precise=False):
                        tried.append(float(np.mean(list(dev_scores(bench, list(self.table.scored), bar).values()))))
        recipe = recipes[tried.index(max(tried))] if tried else recipes[0]
        with bench.applied(recipe.merge(bench.task_vectors, bench.tensors, bench.linear, statistics=statistics)):
            found = score_applied(name, bench, self.folder.path)
        return {**found, "recipe": recipe.to_dict(), "tried": tried}

    def _alone(self, bench: Workbench) -> dict[str, Callable[[], dict[str, Any]]]:
        """The cells of the heat map: each expert's weights with every task's head, on dev."""
        tasks = list(self.table.scored)
        fit = self._fit_rows(self.folder.cells[WEAK.key]["tasks"], tasks)

        def score(expert: str) -> dict[str, Any]:
            with (
                progress(f"Scoring the expert of {expert} on dev", self._dev_rows, "row") as bar,
                bench.applied(bench.vectors[expert].tensors),
                bench.refitted(fit, precise=False),
            ):
                return {"scores": dev_scores(bench, tasks, bar)}

        return {Cell(CellKind.EXPERT, name).key: partial(score, name) for name in bench.vectors}

    def _can_show(self, bench: Workbench) -> bool:
        """Whether demonstrations can stand before the questions: all tasks are prompted."""
        if any(not task.is_prompted for task in self.table.scored.values()):
            return False
        try:
            prompted, _ = choose_prompted(bench.base.backbone, bench.base.tokenizer, self.table, self.config)
        except UsageError:
            return False
        return prompted.tasks.keys() == self.table.scored.keys()
