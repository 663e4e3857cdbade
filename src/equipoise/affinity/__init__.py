"""Which tasks help which: estimates from features, short trainings, and a run file with the tasks that help."""

from .estimating import Gain, TaskEvidence, estimate_gains
from .mix_folder import MixOptions
from .plan import ESTIMATES, Pair, Plan, Training
from .row_losses import measure_losses
from .running import CANDIDATES, Mix, mix, read_evidence, train_target

__all__ = [
    "CANDIDATES",
    "ESTIMATES",
    "Gain",
    "Mix",
    "MixOptions",
    "Pair",
    "Plan",
    "TaskEvidence",
    "Training",
    "estimate_gains",
    "measure_losses",
    "mix",
    "read_evidence",
    "train_target",
]
