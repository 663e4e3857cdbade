"""Settings of training, chosen on dev by many trials."""

from .results import TunedTask, TuneResults, tuning_table
from .tune_run import Tuning, tune

__all__ = ["TuneResults", "TunedTask", "Tuning", "tune", "tuning_table"]
