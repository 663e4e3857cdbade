"""The search over merges: CMA-ES for one objective, NSGA-II for several."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.trial import FrozenTrial, TrialState

from equipoise.studies import SharedStudy, is_start

from .drawing import RepeatableNSGAII


def smallest_budget(numbers: int, starts: int) -> int:
    """Return how many candidates one generation over so many numbers takes, with those it starts from."""
    return _population(numbers) + starts


def _population(numbers: int) -> int:
    return 4 + math.floor(3 * math.log(numbers))


@dataclass
class Search(SharedStudy):
    """One search over numbers within ranges; CMA-ES starts around the best of the starts.

    With several objectives, NSGA-II keeps them apart. With one, a candidate that loses a signed-rank test against the
    best is not scored to its end.

    Args:
        ranges: the range of each number.
    """

    noun: ClassVar[str] = "Search"

    ranges: Mapping[str, tuple[float, float]]

    @property
    def space(self) -> Mapping[str, BaseDistribution]:
        """The range of each number."""
        return {key: FloatDistribution(low, high) for key, (low, high) in self.ranges.items()}

    def make_pruner(self) -> BasePruner:
        """Return the signed-rank test, or nothing where there are several objectives."""
        return WilcoxonPruner() if len(self.objectives) == 1 else NopPruner()

    def must_wait(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether a start is being scored: CMA-ES starts around the best of them."""
        return any(trial.state is TrialState.RUNNING and is_start(trial) for trial in trials)

    def make_sampler(self, trials: Sequence[FrozenTrial], seed: int) -> BaseSampler:
        """Return CMA-ES, or NSGA-II for several objectives."""
        population = _population(len(self.ranges))
        if len(self.objectives) > 1:
            return RepeatableNSGAII(population_size=population, seed=seed)
        widths = [high - low for low, high in self.ranges.values()]
        starts = [trial for trial in trials if trial.state is TrialState.COMPLETE and is_start(trial)]
        best = max(starts, key=lambda trial: trial.values[0], default=None)
        return CmaEsSampler(
            x0=None if best is None else dict(best.params),
            sigma0=min(widths) / 6,
            seed=seed,
            popsize=population,
            n_startup_trials=0,
            warn_independent_sampling=False,
        )


def folds_of(trial: FrozenTrial) -> int:
    """Return on how many folds a candidate was scored; searches of earlier versions call them heats."""
    return int(trial.user_attrs["folds"] if "folds" in trial.user_attrs else trial.user_attrs["heats"])
