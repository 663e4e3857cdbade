"""A training that is judged on dev alone: test is not even encoded, and no model folder is written."""

from dataclasses import replace

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.workspace import lock_folder

from .callbacks import ProgressSlot
from .checkpoints import check_checkpoint, checkpoint_at
from .fitting import fit_one_of_several, make_trainer
from .prepared_run import PreparedRun
from .preparing import prepare_run
from .run_folder import CHECKPOINTS, open_run
from .trained_weights import load_weights


def train_for_dev(config: RunConfig, table: Table, progress: ProgressSlot | None = None) -> PreparedRun:
    """Train one model and return it with the weights of the checkpoint that dev has chosen.

    The output folder then holds the run's settings, its log and its checkpoints; called again, the training continues
    from the last of them. Whoever has what it needs of the model removes the folder.

    Args:
        config: the run file; a curriculum is not for such trainings.
        table: its table; without the test split, whatever it holds.
        progress: its place among the models that are trained one after the other; None where it is the only one.

    Returns:
        The run, its model trained; it has the splits train and dev.

    Raises:
        StoppedError: the user has stopped it.
        UsageError, ModelError, TrainingError: as in `train`.
    """
    table = replace(table, splits={split: rows for split, rows in table.splits.items() if split != "test"})
    run = prepare_run(config, table)
    with lock_folder(config.output):
        open_run(config, run.describe(), resume=True)
        state = fit_one_of_several(make_trainer(run, None, progress), config)
        best = checkpoint_at(config.output / CHECKPOINTS, state.best_global_step or state.global_step)
        check_checkpoint(best)
        load_weights(run.model, best)
    return run
