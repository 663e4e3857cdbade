"""`equipoise mix`, from the run file to the page."""

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from equipoise.config import RunConfig, load_config
from equipoise.data import split_sources
from equipoise.errors import UsageError, did_you_mean
from equipoise.evaluation import score_predictions, tune_tasks
from equipoise.files import write_json, write_text
from equipoise.reporting import MixResults, write_mix
from equipoise.temporaries import remove_folder
from equipoise.training import MIX, ProgressSlot, check_settings, progress_slots, train_for_dev
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .features import Judge
from .mix_folder import MIXED, RESULTS, CellRecord, MixFolder, MixOptions
from .plan import UNTRAINED, Pair, Plan, Training
from .results import choose_pairs, count_estimate_rows, gather_results, read_estimates
from .row_losses import measure_losses
from .run_file import write_mixed

CANDIDATES = ("all", "auxiliary")


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

    Every candidate is trained alone for a short while. How much better its features tell the labels of a target than
    those of the untrained base model is the estimate of what it does to the target (see `estimate_gain`). The most
    promising pairs are then trained for a short while, and compared on dev with the target alone. What helps for
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
    judge = Judge(plan)
    if UNTRAINED not in folder.journal.read():
        folder.journal.append(judge.judge_untrained())
    done = folder.journal.read()
    helpers = [training for training in judge.helpers() if training.key not in done]
    _train_all(plan, folder, helpers, judge.judge_helper)
    done = folder.journal.read()
    pairs = choose_pairs(plan, read_estimates(plan, done), count_estimate_rows(done), budget)
    _train_all(plan, folder, list_trainings(plan, pairs, done), partial(train_target, plan))
    results = gather_results(plan, folder.journal.read(), plan.table.notes)
    write_text(folder.path / MIXED, write_mixed(plan, results))
    write_json(folder.path / RESULTS, results.to_json())
    write_mix(folder.path, results)
    return results


def _train_all(
    plan: Plan,
    folder: MixFolder,
    trainings: Sequence[Training],
    train: Callable[[Training, ProgressSlot], CellRecord],
) -> None:
    labels = [f"Training {number} of {len(trainings)} ({one.key})" for number, one in enumerate(trainings, start=1)]
    for training, slot in zip(trainings, progress_slots(labels, [one.steps for one in trainings]), strict=True):
        folder.journal.append(train(training, slot))
        remove_folder(plan.folder / training.key)


def list_trainings(plan: Plan, pairs: Sequence[Pair], done: Collection[str] = ()) -> list[Training]:
    """Return the trainings of pairs that are not done, each target alone before its pairs."""
    by_key: dict[str, Training] = {}
    for pair in pairs:
        for training in (plan.alone(pair.target), plan.with_helper(pair)):
            by_key.setdefault(training.key, training)
    return [training for key, training in by_key.items() if key not in done]


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
    target = training.target
    assert target is not None
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
