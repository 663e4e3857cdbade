"""One search: candidates are claimed, merged in memory, scored on the weak rows; dev chooses among the fittest."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from optuna.storages import BaseStorage

from equipoise.kinds import make_metric
from equipoise.merging import Cache, MetaGPT, TaskVector, make_merge_operator
from equipoise.progress import Progress
from equipoise.studies import seconds_of

from .fitness import Fitness, Folds, score_by_folds
from .stages import Stage
from .study import Search, folds_of
from .workbench import Indices, Workbench

Vectors = Mapping[str, TaskVector]


def make_search(stage: Stage, name: str, bench: Workbench, vectors: Vectors, storage: BaseStorage) -> Search:
    """Open a stage's search, which starts from the uniform average, the operator's own weights, and MetaGPT's shares.

    Args:
        stage: the stage.
        name: what it is called in the storage.
        bench: the workbench.
        vectors: what is merged, by member.
        storage: where candidates are kept.
    """
    config = bench.config
    space = stage.space(config)
    count = len(stage.members)
    global_stats = MetaGPT().global_stats(vectors, bench.linear)
    shares = MetaGPT().coefficients(dict.fromkeys(stage.members, 1.0), global_stats)
    operator = make_merge_operator(space.operator, **space.options)
    coefficients = {
        "uniform": [1 / count] * count,
        "own": operator.default_weights(count),
        "MetaGPT": [shares[name] for name in stage.members],
    }
    starts = {name: space.start(one) for name, one in coefficients.items()}
    objectives = stage.tasks if config.merge.objectives == "tasks" else ["run_score"]
    return Search(
        storage,
        name,
        starts,
        objectives,
        stage.candidates,
        stage.minutes,
        config.train.seed,
        space.parameters,
    )


def run_search(
    stage: Stage, search: Search, bench: Workbench, vectors: Vectors, folds: Folds, fit: Mapping[str, Indices]
) -> None:
    """Score candidates until the stage's budget is used up.

    Args:
        stage: the stage.
        search: its search.
        bench: the workbench.
        vectors: what is merged, by member.
        folds: the rows that candidates are scored on.
        fit: for each task the training rows that last layers are fitted to.
    """
    space = stage.space(bench.config)
    # What is kept is true of one operator with its options.
    cache: Cache | None = None if space.searched else {}
    bar = Progress(f"Search {stage.name}", stage.candidates, "candidate", done=len(search.finished))
    try:
        for claim in search.claims():
            known = claim.known
            if known is not None:
                claim.report_as(known)
            else:
                if cache is not None and len(cache) > 2 * len(bench.tensors):
                    # Coefficients of 0 leave experts out, and each choice of experts is kept on its own.
                    cache.clear()
                merged = space.recipe(claim.numbers).merge(vectors, bench.tensors, bench.linear, cache=cache)
                with bench.applied(merged), bench.refitted(fit, precise=False):
                    scored = score_by_folds(
                        folds, partial(bench.predict, folds.split, precise=False), claim.should_continue
                    )
                fitness = scored.run_score if len(scored.folds) == len(folds) else _estimate(scored, search)
                one = len(search.objectives) == 1
                values = [fitness] if one else [scored.tasks[task] for task in search.objectives]
                notes = {"folds": len(scored.folds), "tasks": dict(scored.tasks), "rows": scored.rows}
                claim.report(values, fitness=fitness, **notes)
            best = max(trial.user_attrs["fitness"] for trial in search.finished)
            bar.advance(len(search.finished) - bar.done, f"best {best:.4f}")
    finally:
        bar.close()


def choose(
    stage: Stage, search: Search, bench: Workbench, vectors: Vectors, fit: Mapping[str, Indices]
) -> dict[str, Any]:
    """Let dev choose among the fittest candidates, and the starts.

    Returns:
        "chosen", the number of the best on dev, and its "recipe"; "finalists": their dev run scores by number;
        "seconds_searched": all workers' time on candidates;
        "candidates": of each its "numbers", fitness, tasks' metrics, folds, rows, and which
        start it was, if any.
    """
    space = stage.space(bench.config)
    # A pruned candidate was behind by then; the best is never pruned.
    ranked = sorted(search.finished, key=lambda trial: (-trial.user_attrs["fitness"], trial.number))
    fittest = ranked[: bench.config.merge.finalists]
    finalists = fittest + [one for one in ranked if one.user_attrs.get("start") and one not in fittest]
    rows = sum(len(bench.table.rows(task, "dev")) for task in stage.tasks)
    scores: dict[int, float] = {}
    bar = Progress(f"Search {stage.name}, finalists on dev", len(finalists) * rows, "row")
    try:
        for trial in finalists:
            merged = space.recipe(trial.params).merge(vectors, bench.tensors, bench.linear)
            with bench.applied(merged), bench.refitted(fit, precise=False):
                scores[trial.number] = float(np.mean(list(dev_scores(bench, stage.tasks, bar).values())))
    finally:
        bar.close()
    # At a tie the fitter one, which comes first.
    chosen = max(scores, key=scores.__getitem__)
    numbers = {trial.number: dict(trial.params) for trial in search.finished}
    return {
        "chosen": chosen,
        "recipe": space.recipe(numbers[chosen]).to_dict(),
        "finalists": scores,
        "dev": scores[chosen],
        "seconds_searched": round(sum(map(seconds_of, search.finished)), 1),
        "candidates": [
            {
                "number": trial.number,
                "numbers": numbers[trial.number],
                "start": trial.user_attrs.get("start"),
                "folds": folds_of(trial),
                **{key: trial.user_attrs[key] for key in ("fitness", "tasks", "rows")},
            }
            for trial in sorted(search.finished, key=lambda trial: trial.number)
        ],
    }


def dev_scores(bench: Workbench, tasks: list[str], bar: Progress | None = None) -> dict[str, float]:
    """Return max(0, primary metric) of tasks on dev, of what is applied to the workbench, in `train.precision`."""
    wanted = {task: bench.table.rows(task, "dev") for task in tasks}
    found = bench.predict("dev", wanted, precise=False, bar=bar)
    scores = {}
    for name in tasks:
        gold = bench.table.labels(name, "dev")
        task = bench.table.tasks[name].tune(found[name], gold)
        scores[name] = max(0.0, float(make_metric(task, task.metric)(gold, task.decide(found[name]))))
    return scores


def _estimate(scored: Fitness, search: Search) -> float:
    """Estimate the fitness of a pruned candidate: the best's, less what it lacks on the folds it ran."""
    best = search.study.best_trial
    shared = range(len(scored.folds))
    behind = np.mean([best.intermediate_values[fold] - scored.folds[fold] for fold in shared])
    return float(best.values[0] - behind)
