"""A study that several processes and machines share: claims, a budget that is never overshot, and killed workers.

One process that is killed and called again claims the same candidates under the same numbers as one that is not: what
is drawn follows from the seed and from what is scored, and what was being scored is scored again from the start. The
order in which several processes finish decides what is drawn next, so that no two such searches are alike.
"""

import copy
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, ClassVar

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from equipoise.errors import TrainingError
from equipoise.locks import Waiting
from equipoise.owners import has_ended, is_this_process, name_owner, this_process

from .drawing import WholeDraw

_BEAT, _LOST = 10.0, 60.0
"""A worker says every so many seconds that it lives, and is lost after so many seconds of silence."""
_POLL = 0.5
_START, _WORKER = _OWN = ("start", "worker")
"""What is noted of a candidate here: which of the search's starts it is, and who scores it."""
_CLAIMED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.WAITING, TrialState.PRUNED)
_SCORING: set[int] = set()
"""The candidates that this process is scoring."""
_TAKEN: set[int] = set()
"""The candidates that this process has claimed, or has died claiming."""


@dataclass
class SharedStudy(ABC):
    """One study: candidates, each a value for every parameter, that are scored by whichever worker claims them.

    Args:
        storage: where its candidates are kept.
        name: what it is called there.
        starts: candidates that are scored first, by what they are called.
        objectives: what a candidate's values are called.
        candidates: budget in candidates.
        minutes: budget in minutes of all workers' work on candidates, if any.
        seed: of the samplers.
    """

    noun: ClassVar[str] = "study"
    """What messages call it."""

    storage: BaseStorage
    name: str
    starts: Mapping[str, Mapping[str, Any]]
    objectives: Sequence[str]
    candidates: int
    minutes: float | None
    seed: int

    @property
    @abstractmethod
    def space(self) -> Mapping[str, BaseDistribution]:
        """The range of each parameter."""

    @abstractmethod
    def make_pruner(self) -> BasePruner:
        """Return what says which candidates are not scored to their end."""

    @abstractmethod
    def make_sampler(self, trials: Sequence[FrozenTrial], seed: int) -> BaseSampler:
        """Return what draws the next candidate.

        Args:
            trials: all candidates so far.
            seed: its seed.
        """

    def must_wait(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether no candidate can be drawn before some that are being scored have ended."""
        return False

    def __post_init__(self) -> None:
        with _quiet():
            try:
                self.study = optuna.create_study(
                    storage=self.storage,
                    study_name=self.name,
                    directions=["maximize"] * len(self.objectives),
                    load_if_exists=True,
                    pruner=self.make_pruner(),
                )
            except StorageInternalError as error:
                raise TrainingError(f"{self.noun}: the storage cannot be used ({error}); choose another.") from None
        for start, numbers in self.starts.items():
            self.study.enqueue_trial(dict(numbers), user_attrs={_START: start}, skip_if_exists=True)

    @property
    def finished(self) -> list[FrozenTrial]:
        """The candidates that are scored."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def claims(self) -> Iterator["Claim"]:
        """Yield candidates to score until the budget is used up and all are scored, by whichever worker.

        A candidate counts when it is claimed, so that several workers do not overshoot the budget together. One whose
        worker is lost – killed, or silent for a minute – is handed to another.
        """
        waiting = Waiting("")
        while True:
            self._release_lost()
            trial = self._claim()
            if trial is not None:
                claim = Claim(self, trial)
                with claim.sending_heartbeats():
                    yield claim
                waiting = Waiting("")
            elif running := self._running():
                waiting.look(f"{self.noun} {self.name}: waits for {', '.join(map(_describe, running[:3]))}.")
                time.sleep(_POLL)
            else:
                return

    def _claim(self) -> Trial | None:
        trials = self.study.get_trials(deepcopy=False)
        if not any(trial.state is TrialState.WAITING for trial in trials):
            if self._is_spent(trials):
                return None
            if self.must_wait(trials):
                return None
            self.study.enqueue_trial({})
            trials = self.study.get_trials(deepcopy=False)
        waiting = next((trial for trial in trials if trial.state is TrialState.WAITING), None)
        number = len(trials) if waiting is None else waiting.number
        with _quiet():
            if waiting is not None:
                # Before it runs: whoever finds it after a kill knows whose it was.
                _TAKEN.add(waiting._trial_id)
                self._sign(waiting)
            self.study.sampler = self._sampler(trials, number)
            trial = self.study.ask()
            if waiting is not None:
                # Another worker may have been faster, and this one was given the next.
                _TAKEN.discard(waiting._trial_id)
            _TAKEN.add(trial._trial_id)
            for key, distribution in self.space.items():
                _suggest(trial, key, distribution)
        _beat(trial)
        if self._is_second_start(trial):
            self.study.tell(trial, state=TrialState.FAIL)
            return self._claim()
        # Another worker may have claimed at the same moment: of all claims, the first ones by number count.
        numbers = sorted(one.number for one in self.study.get_trials(deepcopy=False) if one.state in _CLAIMED)
        if numbers.index(trial.number) >= self.candidates:
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        return trial

    def _sign(self, trial: FrozenTrial) -> None:
        try:
            self.storage.set_trial_user_attr(trial._trial_id, _WORKER, _sign_of_life())
        except UpdateFinishedTrialError:
            return  # another worker has been faster

    def _is_second_start(self, trial: Trial) -> bool:
        """Whether two workers that opened the search at the same moment have both put this start in."""
        start = trial.user_attrs.get(_START)
        return start is not None and any(
            one.user_attrs.get(_START) == start and one.number < trial.number and one.state is not TrialState.FAIL
            for one in self.study.get_trials(deepcopy=False)
        )

    def _is_spent(self, trials: Sequence[FrozenTrial]) -> bool:
        claimed = [trial for trial in trials if trial.state in _CLAIMED]
        if self.minutes is not None:
            worked = sum(seconds_of(trial) for trial in claimed)
            if worked >= 60 * self.minutes:
                return True
        return len(claimed) >= self.candidates

    def _sampler(self, trials: Sequence[FrozenTrial], number: int) -> BaseSampler:
        # A new one each time, its seed by the candidates before this one, so that a search that goes on draws as if it
        # had never stopped; what it has learnt is in the storage.
        before = [trial for trial in trials if trial.number < number or trial.user_attrs.get(_START)]
        seed = self.seed + sum(trial.state is not TrialState.FAIL for trial in before)
        return WholeDraw(self.make_sampler(trials, seed), self.space)

    def _running(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))

    def _release_lost(self) -> None:
        """Let candidates whose worker is lost be claimed again, each under its number and with its numbers."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _is_lost(trial):
                continue
            try:
                self.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            except (UpdateFinishedTrialError, RuntimeError):
                continue  # its worker has finished it after all
            print(
                f"{self.noun} {self.name}: {_describe(trial)} has ended without a score; it goes on.",
                file=sys.stderr,
                flush=True,
            )


class Claim:
    """A candidate that this worker scores.

    Args:
        study: its study.
        trial: its record.
    """

    def __init__(self, study: SharedStudy, trial: Trial) -> None:
        self._study, self._trial = study, trial
        self._steps: dict[int, float] = {}
        self.number = trial.number
        self.start: str | None = trial.user_attrs.get(_START)
        """What it is called, if it is one of those that are scored first."""
        self.numbers: dict[str, Any] = dict(trial.params)

    @property
    def known(self) -> FrozenTrial | None:
        """A scored candidate with the same numbers."""
        return next((trial for trial in self._study.finished if trial.params == self.numbers), None)

    def should_continue(self, step: int, value: float) -> bool:
        """Report a step's value, and say whether the candidate may still win, by the study's pruner.

        With several objectives it always may.
        """
        if len(self._study.objectives) > 1:
            return True
        # In the storage may be the steps of a worker that was killed: these are not taken yet.
        self._steps[step] = value
        taken = copy.copy(self._study.storage.get_trial(self._trial._trial_id))
        taken.intermediate_values = dict(self._steps)
        with _quiet():
            return not self._study.study.pruner.prune(self._study.study, taken)

    def report(self, values: Sequence[float], **notes: object) -> None:
        """Record the candidate's values, one an objective, and what else shall be known of it."""
        self._tell(TrialState.COMPLETE, list(values), notes)

    def prune(self, **notes: object) -> None:
        """Record that the candidate was not scored to its end, and what else shall be known of it."""
        self._tell(TrialState.PRUNED, None, notes)

    def _tell(self, state: TrialState, values: list[float] | None, notes: Mapping[str, object]) -> None:
        try:
            with _quiet():
                for step, value in self._steps.items():
                    self._trial.report(value, step)
            for key, note in notes.items():
                self._trial.set_user_attr(key, note)
            self._study.study.tell(self._trial, values, state)
        except (ValueError, UpdateFinishedTrialError):
            return  # taken for lost, and scored by another worker

    def report_as(self, known: FrozenTrial) -> None:
        """Record for this candidate what is known of one with the same numbers."""
        self._steps = dict(known.intermediate_values)
        notes = {key: note for key, note in known.user_attrs.items() if key not in _OWN}
        self.report(known.values, **notes)

    @contextmanager
    def sending_heartbeats(self) -> Iterator[None]:
        """Say every few seconds that the worker lives."""
        stop, place = Event(), self._trial._trial_id

        def beat() -> None:
            while not stop.wait(_BEAT):
                try:
                    _beat(self._trial)
                except UpdateFinishedTrialError:
                    return

        thread = Thread(target=beat, daemon=True)
        _SCORING.add(place)
        thread.start()
        try:
            yield
        finally:
            _SCORING.discard(place)
            stop.set()
            thread.join()


def is_start(trial: FrozenTrial) -> bool:
    """Whether a candidate is one of those that are scored first."""
    return bool(trial.user_attrs.get(_START))


def _suggest(trial: Trial, key: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(key, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(key, distribution.low, distribution.high)
    else:
        assert isinstance(distribution, FloatDistribution)
        trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def seconds_of(trial: FrozenTrial) -> float:
    """Return how long a candidate has taken, until now if it is being scored."""
    if trial.datetime_start is None or trial.state is TrialState.WAITING:
        return 0.0
    ended = trial.datetime_complete or type(trial.datetime_start).now()
    return (ended - trial.datetime_start).total_seconds()


def _beat(trial: Trial) -> None:
    """Say who works on a candidate, and that this worker lives."""
    trial.set_user_attr(_WORKER, _sign_of_life())


def _sign_of_life() -> dict[str, object]:
    return {**this_process(), "seen": time.time()}


def _is_lost(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get(_WORKER)
    if worker is None:
        # Killed between the claim and its first sign of life, or claimed just now.
        return seconds_of(trial) > _LOST
    # What another worker has claimed just before this one signed it bears this one's name until its next sign of life.
    if has_ended(worker) or (is_this_process(worker) and trial._trial_id in _TAKEN - _SCORING):
        return True
    return time.time() - float(worker["seen"]) > _LOST


def _describe(trial: FrozenTrial) -> str:
    """Name a candidate and its worker."""
    worker = trial.user_attrs.get(_WORKER)
    return f"candidate {trial.number}{'' if worker is None else f' ({name_owner(worker)})'}"


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Optuna calls CMA-ES's start (x0, sigma0) deprecated and the signed-rank pruner experimental.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # A step that a killed worker has reported is reported again, with the same value.
        warnings.filterwarnings("ignore", "The reported value is ignored")
        yield
