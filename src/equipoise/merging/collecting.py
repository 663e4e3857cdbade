"""The statistics of experts' data that some operators need, collected from training rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from datasets import Dataset
from torch import Tensor

from equipoise.config import RunConfig
from equipoise.data import load_table
from equipoise.devices import choose_device
from equipoise.errors import UsageError, did_you_mean
from equipoise.modeling import MultiTaskModel
from equipoise.progress import progress

from .base import Base
from .operators import MergeOperator, TaskVector
from .statistics import RowSample, fisher, input_grams


@dataclass(frozen=True)
class ExpertRows:
    """An expert, and the rows that its statistics are collected from.

    Args:
        model: its model, on the base's backbone.
        vector: τ, which the base is changed by while rows are read.
        rows: for each of its tasks rows with the columns "text" and "pair", for text to generate "label:TASK" too.
    """

    model: MultiTaskModel
    vector: TaskVector
    rows: Mapping[str, Dataset]

    def count(self, limit: int) -> dict[str, int]:
        """Return how many rows of each task are read."""
        return {task: min(limit, len(rows)) for task, rows in self.rows.items()}


def collect_statistics(
    operator: MergeOperator,
    base: Base,
    experts: Mapping[str, ExpertRows],
    sample: RowSample,
) -> dict[str, dict[str, Tensor]]:
    """Collect the statistics that an operator needs, of every tensor that some expert changed.

    Of an expert of several tasks, sums of inputs are over the rows of all of them, and the Fisher information is the
    mean over these rows (our design). Rows are read on the device of `choose_device`.

    Args:
        operator: an operator that needs statistics.
        base: the base; it is as before when this returns.
        experts: the experts by name.
        sample: which rows of each task are read.

    Returns:
        By expert and tensor what `MergeOperator.merge` takes, on the CPU.

    Raises:
        UsageError: an expert has no rows of a task.
        ModelError: a model is not on the base.
    """
    changed = {tensor for expert in experts.values() for tensor in expert.vector}
    collected = {}
    home, device = base.backbone.device, choose_device()
    try:
        base.backbone.to(device)
        with progress(f"Reading rows for {operator.name}", len(experts), "expert") as bar:
            for name, expert in experts.items():
                expert.model.to(device)
                with base.changed(expert.vector):
                    collected[name] = _collect(operator.statistics, base, expert, changed, sample)
                if bar is not None:
                    bar.advance()
    finally:
        base.backbone.to(home)
        for expert in experts.values():
            expert.model.to(home)
    return collected


def _collect(
    statistics: str, base: Base, expert: ExpertRows, tensors: Collection[str], sample: RowSample
) -> dict[str, Tensor]:
    counts = expert.count(sample.limit)
    total: dict[str, Tensor] = {}
    for task, rows in expert.rows.items():
        if statistics == "inputs":
            share, own = 1.0, input_grams(base, expert.model, task, rows, tensors=tensors, sample=sample)
        else:
            share = counts[task] / (sum(counts.values()) or 1)
            own = fisher(base, expert.model, task, rows, tensors=tensors, sample=sample)
        total = {name: total[name] + share * one if name in total else share * one for name, one in own.items()}
    return total


def read_expert_rows(config: RunConfig, models: Mapping[str, MultiTaskModel]) -> dict[str, dict[str, Dataset]]:
    """Read the training rows of experts' tasks from the data of a run file.

    Args:
        config: the run file; it may have more tasks.
        models: the experts' models by name.

    Returns:
        By expert and task its training rows.

    Raises:
        UsageError: the run file lacks a task of an expert, or has it otherwise.
        DataError: a file or a label is wrong, or there are no training rows of a task.
    """
    stated = config.open_tasks()
    for expert, model in models.items():
        for task, trained in model.tasks.items():
            if task not in stated:
                raise UsageError(
                    f"--data: the run file has no task '{task}', which expert '{expert}' was trained for. "
                    f"{did_you_mean(task, stated)} Give a run file with the tasks of all experts."
                )
            if problem := stated[task].contradiction(trained):
                raise UsageError(f"--data: tasks.{task}.{problem}, as in expert '{expert}'.")
    table = load_table(config)
    return {
        expert: {task: table.splits["train"].select(table.rows(task, "train")) for task in model.tasks}
        for expert, model in models.items()
    }
