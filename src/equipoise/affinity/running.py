"""`equipoise mix`, from the run file to the page."""

import math
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.config import RunConfig, load_config
from equipoise.curriculum import read_base_features
from equipoise.data import split_sources
from equipoise.errors import UsageError, did_you_mean
from equipoise.evaluation import score_predictions, tune_tasks
from equipoise.files import write_json, write_text
from equipoise.kinds import make_analysis
from equipoise.reporting import MixResults, write_mix
from equipoise.temporaries import remove_folder
from equipoise.training import MIX, ProgressSlot, check_settings, progress_slots, train_for_dev
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .estimating import TaskEvidence, estimate_gains
from .mix_folder import MIXED, RESULTS, CellRecord, GainRecord, MixFolder, MixOptions
from .plan import ESTIMATES, Pair, Plan, Training
from .results import choose_pairs, gather_results, read_estimates
from .row_losses import Rows, measure_losses
from .run_file import write_mixed

CANDIDATES = ("all", "auxiliary")
_ROWS = 512
"""Training rows of a task that the estimate reads, at most."""
_FEWEST = 10
"""With fewer training rows a task takes no part in the estimates."""


@dataclass(frozen=True)
class Mix:
    """What `mix` found.

    Args:
        folder: its folder, which holds `mixed.yaml`, `mix.json` and `mix.html`.
        results: which tasks help which.
    """

    folder: Path
    results: MixResults


def mix(
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    candidates: str = "all",
    targets: Sequence[str] = (),
    passes: float = 3.0,
    budget: float = 0.2,
    overwrite: bool = False,
) -> Mix:
    """Find the tasks of a run file that help others when they are trained together.

    Features of the untrained base model estimate what every candidate does to every target (see `estimate_gains`). The
    most promising pairs are then trained for a short while, and compared on dev with the target alone. What helps for
    certain stands in `mixed.yaml`. Test is not read by any model. Called again it continues.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        candidates: "all": every other task may help a target; "auxiliary": auxiliary tasks alone.
        targets: the tasks to find helpers for; none stands for all that are scored.
        passes: how often a short training reads each of the target's rows.
        budget: rows that may be read, as a share of those of training every target alone and with every candidate;
            with 1 all pairs are trained, and one pair always is. It may change from call to call.
        overwrite: discard what lies in the folder.

    Raises:
        UsageError: the run file or an option is wrong, or there is nothing to mix.
        DataError: a file or a label is wrong.
        ModelError: the base model cannot be loaded, or cannot do what the run file asks.
        TrainingError: the folder holds something else or another mix, or training was stopped.
    """
    for name, value, most in (("passes", passes, 1000.0), ("budget", budget, 1.0)):
        if not 0 < value <= most:
            raise UsageError(f"--{name}: found {value:g}, expected a number above 0, {most:g} at most.")
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    folder = MixFolder(config.output / MIX)
    options = _check_options(config, candidates, targets, passes)
    folder.check(inputs_of(config))
    check_settings(config)
    splits = split_sources(config)
    plan = Plan(config, splits, options.targets, _find_candidates(config, options), passes, folder.path)
    data = {**describe_inputs(plan.table, config.model), "notes": plan.table.notes}
    with folder.lock(), explain_stop():
        folder.open(config, data, options, restart=overwrite)
        results = _work(plan, folder, budget)
    return Mix(folder.path, results)


def _check_options(config: RunConfig, candidates: str, targets: Sequence[str], passes: float) -> MixOptions:
    """Refuse what cannot be mixed."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("mix: it is done by one process, found several; call it without a launcher.")
    if candidates not in CANDIDATES:
        raise UsageError(f"--candidates: found '{candidates}'. {did_you_mean(candidates, CANDIDATES)}")
    if len(config.tasks) == 1:
        raise UsageError("mix: the run file has one task, expected two or more: one to score, and one that may help.")
    scored = [name for name, task in config.tasks.items() if not task.auxiliary]
    for name in targets:
        if name not in config.tasks:
            raise UsageError(f"--target: the run file has no task '{name}'. {did_you_mean(name, list(config.tasks))}")
        if name not in scored:
            raise UsageError(
                f"--target: task '{name}' is auxiliary, so it has no dev rows; expected one of {', '.join(scored)}, or "
                "remove 'auxiliary' from the task."
            )
    chosen = tuple(name for name in scored if name in targets or not targets)
    if candidates == "auxiliary" and len(scored) == len(config.tasks):
        raise UsageError(
            "--candidates: found 'auxiliary', but no task of the run file is auxiliary; mark those that may help "
            "(auxiliary: true), or choose all."
        )
    return MixOptions(candidates, chosen, passes)


def _find_candidates(config: RunConfig, options: MixOptions) -> dict[str, list[str]]:
    return {
        target: [
            name
            for name, task in config.tasks.items()
            if name != target and (task.auxiliary or options.candidates == "all")
        ]
        for target in options.targets
    }


def _work(plan: Plan, folder: MixFolder, budget: float) -> MixResults:
    """Do what is not done yet, and write what is known."""
    records = folder.journal.read()
    if ESTIMATES not in records:
        folder.journal.append(estimate(plan))
        records = folder.journal.read()
    chosen = choose_pairs(plan, read_estimates(records), records[ESTIMATES]["rows"], budget)
    trainings = list_trainings(plan, chosen, records)
    labels = [f"Training {number} of {len(trainings)} ({one.key})" for number, one in enumerate(trainings, start=1)]
    for training, slot in zip(trainings, progress_slots(labels, [one.steps for one in trainings]), strict=True):
        folder.journal.append(train_target(plan, training, slot))
        remove_folder(plan.folder / training.key)
    results = gather_results(plan, folder.journal.read(), plan.table.notes)
    write_text(folder.path / MIXED, write_mixed(plan, results))
    write_json(folder.path / RESULTS, results.to_json())
    write_mix(folder.path, results)
    return results


def list_trainings(plan: Plan, pairs: Sequence[Pair], done: Collection[str] = ()) -> list[Training]:
    """Return the trainings of pairs that are not done, each target alone before its pairs."""
    by_key: dict[str, Training] = {}
    for pair in pairs:
        for training in (plan.alone(pair.target), plan.with_helper(pair)):
            by_key.setdefault(training.key, training)
    return [training for key, training in by_key.items() if key not in done]


def estimate(plan: Plan) -> CellRecord:
    """Estimate every pair's gain from what the base model makes of the tasks' training rows.

    Args:
        plan: the trainings.

    Returns:
        The journal's line.
    """
    began = time.monotonic()
    evidence, rows = read_evidence(plan)
    gains = estimate_gains(evidence, plan.pairs, plan.config.train.seed)
    found: list[GainRecord] = [
        {"target": pair.target, "helper": pair.helper, "value": gain.value, "low": gain.low, "high": gain.high}
        for pair, gain in gains.items()
    ]
    # No backward pass, which is two thirds of a training's work.
    return {"cell": ESTIMATES, "rows": math.ceil(rows / 3), "seconds": time.monotonic() - began, "gains": found}


def read_evidence(plan: Plan) -> tuple[dict[str, TaskEvidence], int]:
    """Read some training rows of every task with the base model, untrained.

    Returns:
        What the estimate reads, by task, without tasks whose labels no linear model learns and those of too few rows;
        and how many rows were read.
    """
    config, table = plan.config, plan.table
    if config.model == "bilstm":  # it starts from nothing and has no features yet
        return {}, 0
    analyses = {name: make_analysis(table.tasks[name]) for name in plan.tasks}
    wanted = {
        name: _draw(table.rows(name, "train"), config.train.seed)
        for name, analysis in analyses.items()
        if analysis.measures_features and len(table.rows(name, "train")) >= _FEWEST
    }
    if not wanted:
        return {}, 0
    rows = np.unique(np.concatenate(list(wanted.values())))
    features = read_base_features(config, table, list(wanted), rows, "Reading texts")
    evidence = {}
    for name, own in wanted.items():
        labels = table.labels(name, "train")[np.searchsorted(table.rows(name, "train"), own)]
        evidence[name] = TaskEvidence(features[np.searchsorted(rows, own)], analyses[name].as_numbers(labels))
    return evidence, len(rows)


def _draw(rows: Rows, seed: int) -> Rows:
    if len(rows) <= _ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, _ROWS, replace=False))


def train_target(plan: Plan, training: Training, slot: ProgressSlot | None = None) -> CellRecord:
    """Train a target, alone or with a helper, and measure it on dev.

    Args:
        plan: the trainings.
        training: which one.
        slot: its place among those of this call.

    Returns:
        The journal's line.
    """
    began = time.monotonic()
    target = training.tasks[0]
    run = train_for_dev(*plan.build(training), slot)
    # As a run ends: a model that is too sure is calibrated, and few rows make it very sure.
    calibrate = plan.config.evaluation.calibrate
    losses = measure_losses(run, "dev", target, run.table.rows(target, "dev"), calibrate=calibrate)
    predictions = run.predict("dev")
    records = score_predictions(predictions, tune_tasks(predictions, run.table), "dev")
    metric = next(record["value"] for record in records if record["metric"] == run.table.tasks[target].metric)
    seconds = time.monotonic() - began
    return {
        "cell": training.key,
        "rows": training.rows,
        "seconds": seconds,
        "losses": losses.tolist(),
        "metric": metric,
    }
