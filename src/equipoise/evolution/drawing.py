"""NSGA-II as a function of the seed and of what is scored: drawn again after a kill, candidates are the same."""

from optuna import Study
from optuna.samplers import NSGAIISampler
from optuna.trial import FrozenTrial


class RepeatableNSGAII(NSGAIISampler):
    """NSGA-II whose first candidate of a generation is drawn alike, whether or not a killed worker has drawn it before.

    Optuna keeps the parents of a generation as a set: the candidate that chooses them has them in the order of their
    rank, and all others in that of their numbers.
    """

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Return the parents of a generation, by rank as long as none of its candidates is scored."""
        parents = super().get_parent_population(study, generation)
        if not parents or self.get_population(study, generation):
            return parents
        return self.select_parent(study, generation)
