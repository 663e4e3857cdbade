"""Candidates as a function of the seed and of what is scored: drawn again after a kill, they are the same."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class WholeDraw(BaseSampler):
    """Draws all numbers of a candidate at once, in one order, whether or not some of them are known already.

    Optuna draws a number when it is asked for it, and a candidate whose worker was killed may have some of its numbers
    and lack others: drawn one by one, these would be others than without the kill.

    Args:
        sampler: draws; what it does not draw together it draws one by one.
        space: the range of each number.
    """

    def __init__(self, sampler: BaseSampler, space: Mapping[str, BaseDistribution]) -> None:
        self._sampler = sampler
        self._space = dict(space)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the range of each number."""
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw all numbers."""
        together = self._sampler.infer_relative_search_space(study, trial)
        drawn = self._sampler.sample_relative(study, trial, together)
        for key, distribution in search_space.items():
            if key not in drawn and not distribution.single():
                drawn[key] = self._sampler.sample_independent(study, trial, key, distribution)
        return drawn

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw one number that is not searched."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell the sampler that a candidate is begun."""
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the sampler that a candidate is scored."""
        self._sampler.after_trial(study, trial, state, values)
