"""Which tasks help which: estimates from features, short trainings, and a run file with the tasks that help."""

from .estimating import Gain, estimate_gain
from .mix_folder import MixOptions
from .plan import UNTRAINED, Pair, Plan, Training
from .row_losses import measure_losses
from .running import CANDIDATES, Mix, mix, train_target

__all__ = [
    "CANDIDATES",
    "UNTRAINED",
    "Gain",
    "Mix",
    "MixOptions",
    "Pair",
    "Plan",
    "Training",
    "estimate_gain",
    "measure_losses",
    "mix",
    "train_target",
]
