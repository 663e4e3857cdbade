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
from equipoise.reporting import write_merge
from equipoise.training import MERGE, SingleTask, train_one
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .baselines import baseline_recipes, collect_for, learn_adamerging, peft_linear
from .fitness import Folds
from .folder import MODEL, SEARCHES, MergeFolder
from .mining import choose_weak
from .recipes import Recipe
from .results import gather_results
from .rows import score_applied, score_base, score_experts, score_joint, score_shown
from .searching import choose, dev_scores, make_search, run_search
from .stages import Stage, plan_stages
from .storage import forget, open_storage
from .unseen import UNSEEN, with_unseen
from .workbench import Indices, Workbench

_FOLDS = 6
_FORMER = {"baselines": "rivals"}
Vector = Mapping[str, Tensor]


class Evolved(NamedTuple):
    """What a merge found.

    Args:
        folder: its folder; the best evolved model lies in `model/`.
        results: the table as plain data (see `equipoise.evolution.results.gather_results`).
    """

    folder: Path
    results: dict[str, Any]


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
        open_storage(config.merge.storage)
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
        return open_storage(self.config.merge.storage or str(self.folder.path / SEARCHES))

    def finish(self) -> dict[str, Any]:
        """Compute what is not finished, write the model and the page, and return the table."""
        bench = Workbench(self.config, self.table, [plan.config.output for plan in self.plans])
        # Thresholds of multilabel tasks are those their experts chose.
        tuned = replace(self.table, tasks={**self.table.tasks, **bench.model.tasks})
        weak = self.folder.cell("weak", lambda: choose_weak(bench, self.searched))
        evolved = {row: self._search(row, stages, bench, tuned, weak["tasks"]) for row, stages in self.stages.items()}
        self.folder.all_cells(self._rows(bench, evolved))
        self.folder.all_cells(self._alone(bench))
        cells = self.folder.cells
        results = gather_results(self.config, self.table, self.plans, cells, self.stages, self.folder.path)
        with self.folder.hold("page"):
            best = results["best"]
            if not (self.folder.path / MODEL / "equipoise.json").exists():
                train = {task: self.table.rows(task, "train") for task in self.table.scored}
                with (
                    replace_folder(self.folder.path / MODEL) as target,
                    bench.applied(evolved[best]),
                    bench.refitted(train, by_dev=True),
                    torch.no_grad(),
                ):
                    tuned_tasks = cells[f"row:evolved:{best}"]["tasks"]
                    own = {name: task_from_dict(task) for name, task in tuned_tasks.items()}
                    bench.model.with_tasks(own).save_pretrained(target)
            write_json(self.folder.path / "merge.json", results)
            write_merge(self.folder.path, results)
        return results

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
            if f"search:{stage.name}" not in self.folder.cells:
                chosen = {task: weak[task]["rows"] for task in stage.tasks}
                tasks = {task: tuned.tasks[task] for task in stage.tasks}
                folds = Folds.draw(tuned, tasks, self.searched, chosen, folds=_FOLDS, seed=self.config.train.seed)
                # Not a cell: any number of processes take part.
                run_search(stage, opened, bench, own, folds, fit)
            found = self.folder.cell(f"search:{stage.name}", partial(choose, stage, opened, bench, own, fit))
            merged = Recipe(**found["recipe"]).merge(own, bench.tensors, bench.linear)
            groups[stage.name.partition("/")[2]] = merged
        return merged

    def _fit_rows(self, weak: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, Indices]:
        """The training rows that last layers of candidates are fitted to: others than candidates are scored on."""
        return {task: self.table.rows(task, "train")[weak[task]["fit"]] for task in tasks}

    def _study(self, stage: Stage) -> str:
        return f"{self.study}/{stage.name}"

    def _rows(self, bench: Workbench, evolved: Mapping[str, Vector]) -> dict[str, Callable[[], dict[str, Any]]]:
        """The cells of all rows."""
        folder, plans, config = self.folder.path, self.plans, self.config
        work: dict[str, Callable[[], dict[str, Any]]] = {
            "row:base": lambda: score_base("base", plans, self.table, config, folder),
            "row:experts": lambda: score_experts("experts", plans, self.table),
        }
        shown = self._can_show(bench)
        if shown:
            work["row:base + demonstrations"] = lambda: score_shown("base + demonstrations", bench, folder)
        for baseline in config.merge.baselines:
            work[f"row:{baseline}"] = lambda baseline=baseline: self._baseline(baseline, bench)  # type: ignore[misc]
        if config.merge.joint:
            work["row:joint"] = lambda: score_joint("joint", config.output, self.table)

        def held(name: str, vector: Vector, score: Callable[[str, Workbench, Path], dict[str, Any]]) -> dict[str, Any]:
            with bench.applied(vector):
                return score(name, bench, folder)

        for row, vector in evolved.items():
            work[f"row:evolved:{row}"] = partial(held, f"evolved:{row}", vector, score_applied)
        if shown:
            # These rows take the most time, so there is one for the evolved model that its search's dev prefers.
            best = max(evolved, key=lambda row: self.folder.cells[f"search:{self.stages[row][-1].name}"]["dev"])
            name = f"evolved:{best} + demonstrations"
            work[f"row:{name}"] = partial(held, name, evolved[best], score_shown)
        return work

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
        fit = self._fit_rows(self.folder.cells["weak"]["tasks"], list(self.table.scored))
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
        fit = self._fit_rows(self.folder.cells["weak"]["tasks"], tasks)

        def score(expert: str) -> dict[str, Any]:
            with (
                progress(f"Scoring the expert of {expert} on dev", self._dev_rows, "row") as bar,
                bench.applied(bench.vectors[expert].tensors),
                bench.refitted(fit, precise=False),
            ):
                return {"scores": dev_scores(bench, tasks, bar)}

        return {f"expert:{name}": lambda name=name: score(name) for name in bench.vectors}  # type: ignore[misc]

    def _can_show(self, bench: Workbench) -> bool:
        """Whether demonstrations can stand before the questions: all tasks are prompted."""
        if any(not task.is_prompted for task in self.table.scored.values()):
            return False
        try:
            prompted, _ = choose_prompted(bench.base.backbone, bench.base.tokenizer, self.table, self.config)
        except UsageError:
            return False
        return prompted.tasks.keys() == self.table.scored.keys()
