"""A few real steps of a run, and what its training will take by them."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.config import RunConfig
from equipoise.data import EpochSampler, FlatRows
from equipoise.devices import choose_device
from equipoise.modeling import count_work, infer

from .budget import count_steps
from .callbacks import ScoreOnSchedule, ShowProgress
from .fitting import make_trainer
from .memory import peak_memory_mb
from .prepared_run import PreparedRun
from .processes import count_processes
from .trainer import TrainingBatches

STEPS = 3
"""Steps whose time is taken; one more comes before them, which warms up."""
_SCORED, _WRITTEN = 64, 4
"""Rows of dev whose scoring is timed, and fewer where texts are written."""


@dataclass(frozen=True)
class Rehearsal:
    """What a run takes, estimated from a few of its steps.

    Args:
        steps: how many steps it plans.
        step_seconds: the time of one.
        evaluations: how often dev is scored while it trains.
        scoring_seconds: the time of all scorings, of dev and of test.
        peak_mb: the most memory that was held.
        memory_mb: the memory that there is.
    """

    steps: int
    step_seconds: float
    evaluations: int
    scoring_seconds: float
    peak_mb: float
    memory_mb: float

    @property
    def seconds(self) -> float:
        """The time of training and scoring."""
        return self.steps * self.step_seconds + self.scoring_seconds


def rehearse(run: PreparedRun) -> Rehearsal:
    """Take three real steps with the run's own batches, balancer and optimizer, and score a few rows of dev.

    The batches are a short, a middle and a long one of the first epoch. The model is changed. What is written goes
    into a temporary folder and is removed.

    Args:
        run: the run; its model is no longer of use afterwards.
    """
    clock = _Clock()
    with TemporaryDirectory() as folder:
        shortened = replace(run, config=_shorten(run.config, Path(folder)))
        batches = TrainingBatches(FlatRows(run.rows["train"]), _InOrder(_choose_rows(run)), run.collate)
        trainer = make_trainer(shortened, batches=batches)
        for callback in (ScoreOnSchedule, ShowProgress):
            trainer.remove_callback(callback)
        trainer.add_callback(clock)
        trainer.fit(saves=False)
    settings = run.config.train
    steps = count_steps(settings, len(run.table.splits["train"]))
    evaluations = min(settings.evaluations, steps)
    return Rehearsal(
        steps=steps,
        step_seconds=float(np.mean(np.diff(clock.ends))),
        evaluations=evaluations,
        scoring_seconds=_time_scoring(run, evaluations),
        peak_mb=peak_memory_mb(),
        memory_mb=_memory_mb(),
    )


def _shorten(config: RunConfig, folder: Path) -> RunConfig:
    train = config.train.model_copy(update={"max_steps": STEPS + 1, "report_to": ()})
    curriculum = type(config.curriculum)()
    return config.model_copy(update={"train": train, "curriculum": curriculum, "output": folder / "run"})


def _choose_rows(run: PreparedRun) -> Sequence[int]:
    """Return the rows of a few batches of similar lengths: a middle one to warm up, then of each third the middle."""
    lengths = FlatRows(run.rows["train"]).column("length").values
    settings = run.config.train
    size = settings.batch_size * settings.gradient_accumulation * count_processes()
    ranked = np.argsort(lengths, kind="stable")
    chosen = []
    for place in (3, 1, 3, 5):
        # Short data gives the same rows several times.
        middle = place * len(ranked) // 6
        start = max(0, min(middle - size // 2, len(ranked) - size))
        chosen.append(np.resize(ranked[start : start + size], size))
    return np.concatenate(chosen).tolist()


class _InOrder(EpochSampler):
    """Yields rows in a given order."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__(len(rows))
        self._rows = rows

    def __iter__(self) -> Iterator[int]:
        yield from self._rows


class _Clock(TrainerCallback):
    """Notes when steps end, and keeps the trainer from writing a checkpoint."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Note the time."""
        if choose_device().type == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        control.should_save = False


def _time_scoring(run: PreparedRun, evaluations: int) -> float:
    """Return the seconds that scoring dev while it trains, and dev and test at the end, will take."""
    table, model = run.table, run.model
    work = {
        split: count_work(model, {name: table.rows(name, split) for name in table.scored}) for split in ("dev", "test")
    }
    few = {
        name: table.rows(name, "dev")[: _WRITTEN if task.writes_text else _SCORED]
        for name, task in table.scored.items()
    }
    began = time.perf_counter()
    infer(model, run.rows["dev"], few, run.config.train.eval_batch_size)
    each = (time.perf_counter() - began) / max(1, count_work(model, few))
    return each * ((evaluations + 1) * work["dev"] + work["test"])


def _memory_mb() -> float:
    """Return the memory of the device that computes, in MB; infinite where that is not known."""
    if choose_device().type == "cuda":
        return torch.cuda.mem_get_info()[1] / 1e6
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (ValueError, OSError, AttributeError):
        return float("inf")
