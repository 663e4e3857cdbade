"""One tuning, from the run file to the tuned one."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from equipoise.balancing import NonFiniteLoss
from equipoise.config import RunConfig, dump_config, load_config
from equipoise.data import Table, load_table
from equipoise.errors import UsageError
from equipoise.evaluation import Items, as_stored, paired_tests
from equipoise.files import write_json, write_text
from equipoise.kinds import Task
from equipoise.modeling import count_layers
from equipoise.notebook import table_to_html
from equipoise.studies import Claim, forget, is_start, open_storage, seconds_of
from equipoise.training import (
    ProgressSlot,
    Run,
    count_steps,
    fit_on_dev,
    prepare_run,
    read_dev_scores,
    read_predictions,
    train_one,
)
from equipoise.workspace import describe_inputs, explain_stop, inputs_of

from .results import TrialResult, TunedTask, TuneResults, tuning_table
from .space import Setting, apply, make_space, rounded
from .tune_folder import RESULTS, TUNED, TuneFolder
from .tune_study import TuneStudy

_OWN = "own"
_DIVERGED = "diverged"
_MOST = 10_000
"""Trials, at most."""
_TUNED_HEADER = "# Written by Equipoise: a run file with settings that `equipoise tune` has chosen, complete.\n"


class Tuning(NamedTuple):
    """A tuning.

    Args:
        folder: its folder.
        results: what it found.
        run_file: the run file with the chosen settings, `tuned.yaml`.
        run: the folder of the run that was trained with them.
    """

    folder: Path
    results: TuneResults
    run_file: Path
    run: Path

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return f"{table_to_html(tuning_table(self.results))}<p>Run file: <code>{escape(str(self.run_file))}</code></p>"


def tune(
    run_file: str | Path | RunConfig,
    overrides: Sequence[str] = (),
    *,
    trials: int = 20,
    minutes: float | None = None,
    only: Sequence[str] = (),
    storage: str | None = None,
    overwrite: bool = False,
) -> Tuning:
    """Choose settings of training by trials on dev, and compare them with the run file's own on test, once.

    The folder is the run file's `output` with "-tune". It then holds `tuned.yaml`, the run file with the chosen
    settings, `tune.json`, and two finished runs in `trials/`: that of the own settings and the chosen one. Called again
    it continues, also with more trials; called several times at once, the processes share the trials. See
    `equipoise.tuning.space` for what is tuned.

    Args:
        run_file: path of the run file, or a checked configuration.
        overrides: `key=value` settings that win over the file.
        trials: how many, with the one of the run file's own settings, which is the first.
        minutes: start no trial after so many minutes of all processes' work on trials.
        only: the settings to tune, such as `["learning_rate", "epochs"]`; none for all that apply.
        storage: an Optuna storage URL, such as `postgresql://…`, for processes on several machines; by default a
            file in the folder.
        overwrite: discard the tuning that lies in the folder.

    Raises:
        UsageError: the run file, a setting or a number is wrong, or nothing can be tuned.
        DataError: a file or a label is wrong.
        ModelError: the model cannot be loaded.
        TrainingError: the folder holds something else, the storage cannot be reached, or it was stopped.

    Examples:
        >>> import equipoise
        >>> tuning = equipoise.tune("reviews.yaml", trials=3, only=["learning_rate", "epochs"])
        >>> sorted(tuning.results.settings)
        ['epochs', 'learning_rate']
        >>> tuning.run_file.name
        'tuned.yaml'
    """
    config = run_file if isinstance(run_file, RunConfig) else load_config(run_file, overrides)
    _check(trials, minutes)
    folder = TuneFolder(config.output.with_name(f"{config.output.name}-tune"))
    folder.check(inputs_of(config))
    table = load_table(config)
    layers = count_layers(prepare_run(config, table).model.backbone)
    space = make_space(config, table, layers, only)
    if storage is not None:
        open_storage(storage, "storage")
    with explain_stop():
        run = _TuneRun(config, table, folder, space)
        run.open(storage, trials, minutes, overwrite)
        run.train_trials()
        return run.finish()


def _check(trials: int, minutes: float | None) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "tune: found several processes of one training, expected one; call it without a launcher, as often as "
            "trials shall be trained at a time."
        )
    if not 1 <= trials <= _MOST:
        raise UsageError(f"trials: found {trials}, expected 1 to {_MOST:,}.")
    if minutes is not None and not 0 < minutes < float("inf"):
        raise UsageError(f"minutes: found {minutes:g}, expected a number above 0.")


class _TuneRun:
    """One tuning in its folder."""

    def __init__(self, config: RunConfig, table: Table, folder: TuneFolder, space: Mapping[str, Setting]) -> None:
        self.config, self.table, self.folder, self.space = config, table, folder, space
        described = {key: repr(setting.range) for key, setting in space.items()}
        self.data = {**describe_inputs(table, config.model), "notes": table.notes, "space": described}

    def open(self, storage: str | None, trials: int, minutes: float | None, overwrite: bool) -> None:
        """Open the folder and the study."""
        changed = self.config.model_dump(mode="json", exclude={"output"}, exclude_defaults=True)
        identity = json.dumps([self.data["fingerprint"], self.data["space"], changed], default=str)
        name = f"{self.config.output.name}-tune-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
        if overwrite and storage is not None:
            forget(open_storage(storage, "storage"), name)
        self.folder.open(self.config, self.data, restart=overwrite)
        opened = open_storage(storage or str(self.folder.journal), "storage")
        starts = {_OWN: {key: setting.own for key, setting in self.space.items()}}
        seed = self.config.train.seed
        self.study = TuneStudy(opened, name, starts, ["run_score"], trials, minutes, seed, self.space)

    def train_trials(self) -> None:
        """Train trials until the budget is used up."""
        for claim in self.study.claims():
            self._train(claim)
            self._tidy()

    def _train(self, claim: Claim) -> None:
        config = self._config(claim.number, claim.numbers, is_own=claim.start is not None)
        steps = count_steps(config.train, len(self.table.splits["train"]))
        last = min(config.train.evaluations, steps)
        slot = ProgressSlot(self._name(claim), 0, steps)

        def judge(number: int, score: float) -> bool:
            return claim.should_continue(number, score) or number >= last

        folder = self.folder.trial(claim.number)
        try:
            is_whole = fit_on_dev(config, self.table, judge, slot)
        except NonFiniteLoss:
            claim.report([0.0], note=_DIVERGED, scorings=read_dev_scores(folder))
            self._say(claim, "diverged")
            return
        scorings = read_dev_scores(folder)
        if not is_whole:
            claim.prune(scorings=scorings)
            self._say(claim, f"ended early at dev run score {max(scorings):.4f}")
            return
        # Also those of before it was stopped and called again.
        for number, score in enumerate(scorings, start=1):
            claim.should_continue(number, score)
        claim.report([max(scorings)], scorings=scorings)
        self._say(claim, f"dev run score {max(scorings):.4f}")

    def _say(self, claim: Claim, what: str) -> None:
        best = max(trial.values[0] for trial in self.study.finished) if self.study.finished else None
        shown = "" if best is None else f"; best {best:.4f}"
        print(f"{self._name(claim)}: {what}{shown}", file=sys.stderr, flush=True)

    def _name(self, claim: Claim) -> str:
        # By its number in the results, which counts from 0.
        return f"Trial {claim.number} ({claim.number + 1} of {self.study.candidates})"

    def _tidy(self) -> None:
        """Remove the runs of trials that are neither the best nor that of the own settings."""
        ended = self.study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        best = self._best().number if self.study.finished else 0
        for trial in ended:
            if trial.number not in (0, best):
                self.folder.remove_trial(trial.number)

    def _best(self) -> FrozenTrial:
        """The best trial on dev, the earliest of equals."""
        return max(self.study.finished, key=lambda trial: (trial.values[0], -trial.number))

    def _settings(self, values: Mapping[str, Any], is_own: bool) -> dict[str, Any]:
        return {key: setting.own if is_own else rounded(values[key]) for key, setting in self.space.items()}

    def _config(self, number: int, values: Mapping[str, Any], *, is_own: bool) -> RunConfig:
        config = apply(self.config, self._settings(values, is_own))
        return config.model_copy(update={"output": self.folder.trial(number)})

    def finish(self) -> Tuning:
        """Finish the runs of the own settings and of the best trial, and write what was found."""
        with self.folder.hold("results"):
            best = self._best()
            configs = [
                self._config(0, {}, is_own=True),
                self._config(best.number, best.params, is_own=is_start(best)),
            ]
            runs = [train_one(config, resume=True) for config in configs]
            results = self._gather(best, runs)
            tuned = configs[1].model_copy(update={"output": self.config.output})
            write_text(self.folder.path / TUNED, _TUNED_HEADER + dump_config(tuned))
            write_json(self.folder.path / RESULTS, results.to_json())
            self._tidy()
        return Tuning(self.folder.path, results, self.folder.path / TUNED, runs[1].folder)

    def _gather(self, best: FrozenTrial, runs: Sequence[Run]) -> TuneResults:
        trials = [
            self._describe(trial)
            for trial in sorted(self.study.study.get_trials(deepcopy=False), key=lambda trial: trial.number)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        ]
        return TuneResults(
            best=best.number,
            settings=self._settings(best.params, is_start(best)),
            dev=(max(read_dev_scores(runs[0].folder)), max(read_dev_scores(runs[1].folder))),
            test=(runs[0].run_score, runs[1].run_score),
            tasks=self._compare(*runs),
            trials=trials,
            pruned=sum(trial.dev is None for trial in trials),
            seconds=round(sum(trial.seconds for trial in trials), 1),
            seconds_own=trials[0].seconds,
        )

    def _describe(self, trial: FrozenTrial) -> TrialResult:
        is_whole = trial.state is TrialState.COMPLETE
        note = "own settings" if is_start(trial) else trial.user_attrs.get("note", "" if is_whole else "pruned")
        return TrialResult(
            number=trial.number,
            settings=self._settings(trial.params, is_start(trial)),
            dev=float(trial.values[0]) if is_whole else None,
            scorings=list(trial.user_attrs.get("scorings", ())),
            seconds=round(seconds_of(trial), 1),
            note=note,
        )

    def _compare(self, own: Run, tuned: Run) -> list[TunedTask]:
        """Compare the two runs on test, task by task."""
        items = {}
        for name, task in self.table.scored.items():
            gold = as_stored(self.table.labels(name, "test"))
            runs = {_OWN: own, "tuned": tuned}
            items[name] = Items(
                task, gold, {row: read_predictions(run.folder, name, gold)[None] for row, run in runs.items()}
            )
        tests = {} if own.folder == tuned.folder else {test["task"]: test for test in paired_tests(_OWN, items)}
        return [
            TunedTask(
                name, task.metric, _primary(own, task), _primary(tuned, task), tests[name]["p_holm"] if tests else None
            )
            for name, task in self.table.scored.items()
        ]


def _primary(run: Run, task: Task) -> float:
    """The primary metric of a task on all rows of test."""
    wanted = {"model": "run", "split": "test", "subset": "all", "task": task.name, "metric": task.metric}
    return next(
        record["value"]
        for record in run.records
        if all(record[key] == value for key, value in wanted.items())  # type: ignore[literal-required]
    )
