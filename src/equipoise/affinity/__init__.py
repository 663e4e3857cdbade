"""Which tasks help which: estimates from gradients, short trainings, and a run file with the tasks that help."""

from .estimating import Gain, TaskEvidence, estimate_gains
from .gradients import MapProjection, RowLosses, measure_rows
from .mix_folder import MixOptions
from .plan import JOINT, Pair, Plan, Training
from .running import CANDIDATES, Mix, measure_evidence, mix, train_target

__all__ = [
    "CANDIDATES",
    "JOINT",
    "Gain",
    "MapProjection",
    "Mix",
    "MixOptions",
    "Pair",
    "Plan",
    "RowLosses",
    "TaskEvidence",
    "Training",
    "estimate_gains",
    "measure_evidence",
    "measure_rows",
    "mix",
    "train_target",
]
