"""Training: one run from the run file to the report."""

from .run import Run, is_finished, read_run, train
from .trainer import MultiTaskTrainer

__all__ = ["MultiTaskTrainer", "Run", "is_finished", "read_run", "train"]
