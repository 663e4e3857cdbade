"""Training: one run from the run file to the report."""

from .adding import AddedTasks, add_task
from .budget import count_passes, count_steps
from .building import build_model, encode_table
from .callbacks import ProgressSlot, progress_slots
from .checking import Checked, Examined, check, describe_error, examine
from .dev_run import train_for_dev
from .folder_of_runs import lost_with_runs, runs_and_files
from .mixin import BalancedTrainerMixin, TaskLosses
from .prepared_run import PreparedRun
from .preparing import check_settings, prepare_run
from .processes import is_first
from .prompted_run import run_prompted
from .reckoning import TrainingMemory, training_memory
from .run_folder import (
    DIFFICULTY,
    EXPERTS,
    MERGE,
    MIX,
    RUN_FREE,
    Run,
    is_finished,
    is_run,
    read_predictions,
    read_run,
    run_strangers,
    strangers_among_runs,
    write_predictions,
)
from .single_tasks import SingleTask, load_single_tasks, plan_single_tasks, single_task
from .summary import Summary, read_summary
from .train_run import train, train_one
from .trainer import MultiTaskTrainer, TrainingBatches
from .watched_run import fit_on_dev, read_dev_scores

__all__ = [
    "DIFFICULTY",
    "EXPERTS",
    "MERGE",
    "MIX",
    "RUN_FREE",
    "AddedTasks",
    "BalancedTrainerMixin",
    "Checked",
    "Examined",
    "MultiTaskTrainer",
    "PreparedRun",
    "ProgressSlot",
    "Run",
    "SingleTask",
    "Summary",
    "TaskLosses",
    "TrainingBatches",
    "TrainingMemory",
    "add_task",
    "build_model",
    "check",
    "check_settings",
    "count_passes",
    "count_steps",
    "describe_error",
    "encode_table",
    "examine",
    "fit_on_dev",
    "is_finished",
    "is_first",
    "is_run",
    "load_single_tasks",
    "lost_with_runs",
    "plan_single_tasks",
    "prepare_run",
    "progress_slots",
    "read_dev_scores",
    "read_predictions",
    "read_run",
    "read_summary",
    "run_prompted",
    "run_strangers",
    "runs_and_files",
    "single_task",
    "strangers_among_runs",
    "train",
    "train_for_dev",
    "train_one",
    "training_memory",
    "write_predictions",
]
