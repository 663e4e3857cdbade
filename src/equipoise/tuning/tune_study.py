"""The study of a tuning: candidates by TPE, and the median of the others as the bar to pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from equipoise.studies import SharedStudy

from .space import Setting

_RANDOM = 5
"""Trials before TPE draws, and before the median can end one."""


@dataclass
class TuneStudy(SharedStudy):
    """The trials of a tuning: the run file's own settings first, then random ones, then those that TPE draws.

    TPE is the tree-structured Parzen estimator of Bergstra et al. 2011 (Algorithms for Hyper-Parameter Optimization),
    as Optuna has it. A trial ends at a scoring of dev where its best run score so far is below the median of the
    others' at that scoring (Golovin et al. 2017, Google Vizier).

    Args:
        settings: what is tuned.
    """

    noun: ClassVar[str] = "Tuning"

    settings: Mapping[str, Setting]

    @property
    def space(self) -> Mapping[str, BaseDistribution]:
        """The range of each setting."""
        return {key: setting.range for key, setting in self.settings.items()}

    def make_pruner(self) -> BasePruner:
        """Return the median rule."""
        return MedianPruner(n_startup_trials=_RANDOM)

    def make_sampler(self, trials: Sequence[FrozenTrial], seed: int) -> BaseSampler:
        """Return TPE, which takes trials that are being trained for bad ones, so that workers do not try the same."""
        return TPESampler(n_startup_trials=_RANDOM, seed=seed, constant_liar=True)
