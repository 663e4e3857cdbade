"""Training: one run from the run file to the report."""

from .checking import check
from .folder import Run, is_finished, read_run
from .mixin import BalancedTrainerMixin, TaskLosses
from .prompting import ask
from .run import train
from .trainer import MultiTaskTrainer

__all__ = [
    "BalancedTrainerMixin",
    "MultiTaskTrainer",
    "Run",
    "TaskLosses",
    "ask",
    "check",
    "is_finished",
    "read_run",
    "train",
]
