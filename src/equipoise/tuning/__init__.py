"""Settings of training, chosen on dev by many trials."""

from equipoise.extras import check_extra

check_extra("search", ("optuna",), "tune")

from .results import TunedTask, TuneResults, tuning_table  # noqa: E402
from .tune_run import Tuning, tune  # noqa: E402

__all__ = ["TuneResults", "TunedTask", "Tuning", "tune", "tuning_table"]
