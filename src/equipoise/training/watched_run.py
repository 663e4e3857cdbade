"""A run that stops before its end: trained and scored on dev, not on test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.workspace import lock_folder

from .callbacks import ProgressSlot
from .curriculum_file import ensure_curriculum
from .fitting import fit_one_of_several, make_trainer
from .preparing import prepare_run
from .run_folder import LOG, check_run_output, open_run

Judge = Callable[[int, float], bool]
"""Is told the number of a scoring on dev, from 1, and the run score; says whether training goes on."""


def fit_on_dev(config: RunConfig, table: Table, judge: Judge, progress: ProgressSlot | None = None) -> bool:
    """Train a run to its last scoring on dev, and leave it there; `train_one(…, resume=True)` finishes it.

    A run that was stopped continues from its last checkpoint; then the judge is told of the earlier scorings again.

    Args:
        config: the run file.
        table: its table.
        judge: is told every scoring on dev.
        progress: what the progress bar shows.

    Returns:
        Whether it was trained to its end; else the judge has ended it.

    Raises:
        StoppedError: the user has stopped it.
        UsageError, DataError, ModelError, TrainingError: as in `train`.
    """
    check_run_output(config, resume=True, overwrite=False)
    run = prepare_run(config, table)
    with lock_folder(config.output):
        open_run(config, run.describe(), resume=True)
        measured = ensure_curriculum(config, table, config.output)
        trainer = make_trainer(run, measured, progress)
        trainer.add_callback(_TellScores(config.output, judge))
        try:
            fit_one_of_several(trainer, config)
        except _EndedError:
            return False
    return True


def read_dev_scores(folder: Path) -> list[float]:
    """Return the run scores on dev that a run has logged, in order.

    Args:
        folder: the run's folder.
    """
    path = folder / LOG
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return [float(line["dev"]["run_score"]) for line in lines if "dev" in line]


class _EndedError(Exception):
    """The judge has ended a training."""


class _TellScores(TrainerCallback):
    """Tells a judge of each scoring on dev."""

    def __init__(self, folder: Path, judge: Judge) -> None:
        self._folder, self._judge, self._number = folder, judge, 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Tell of the scorings before the checkpoint that the run continues from; the log holds no others by now."""
        for score in read_dev_scores(self._folder):
            self._tell(score)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        """Tell of a scoring."""
        self._tell(metrics["eval_run_score"])

    def _tell(self, score: float) -> None:
        self._number += 1
        if not self._judge(self._number, score):
            raise _EndedError
