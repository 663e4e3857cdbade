"""The difficulty of a table's training examples and of its tasks, by every measure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.devices import choose_device
from equipoise.kinds import make_analysis
from equipoise.modeling import MultiTaskModel, encode_texts, load_backbone
from equipoise.progress import progress

from .dynamics import Dynamics, measure_dynamics
from .metadata import describe_examples, describe_tasks, score_examples
from .pvi import Pvi, measure_pvi
from .ranks import Floats

MEASURES = ("metadata", "pvi", "dynamics")
"""What difficulty can be measured by."""
NEED_FEATURES = ("pvi", "dynamics")
"""Those that need the features of a backbone."""


@dataclass(frozen=True)
class TaskDifficulty:
    """How difficult a task's training examples are.

    Args:
        rows: the examples, by their numbers in the training split, shape (n,).
        about: the task's meta data, see `describe_tasks`.
        parts: the examples' meta data, see `describe_examples`.
        metadata: the score made of them, shape (n,).
        pvi: PVI, where it is measured.
        dynamics: training dynamics, where they are measured.
    """

    rows: npt.NDArray[np.int64]
    about: Mapping[str, float | None]
    parts: Mapping[str, Floats]
    metadata: Floats
    pvi: Pvi | None = None
    dynamics: Dynamics | None = None

    def examples(self, by: str) -> Floats:
        """Return each example's difficulty by a measure, more is harder; by meta data where that is not measured."""
        if by == "pvi" and self.pvi is not None:
            return -self.pvi.values
        if by == "dynamics" and self.dynamics is not None:
            return 1 - self.dynamics.confidence
        return self.metadata

    @property
    def suspected(self) -> npt.NDArray[np.bool_] | None:
        """Whether the label is suspected noise, shape (n,); None where that is not measured.

        The features speak against it (PVI below zero, by a probe that has not seen it), and no epoch of a training that
        has seen it gets it right (our design).
        """
        if self.pvi is None or self.dynamics is None:
            return None
        return (self.pvi.values < 0) & ~self.dynamics.learnt

    def columns(self) -> dict[str, Floats]:
        """Return everything that is compared, as difficulty: more is harder."""
        found = {"metadata": self.metadata}
        if self.pvi is not None:
            found["pvi"] = -self.pvi.values
        if self.dynamics is not None:
            found["confidence"] = 1 - self.dynamics.confidence
            found["variability"] = self.dynamics.variability
            found["forgetting"] = self.dynamics.forgetting.astype(np.float64)
        return found

    def correlations(self) -> list[list[float | None]]:
        """Return Spearman's ρ between the columns; None where one of them is constant."""
        columns = list(self.columns().values())
        return [[_spearman(one, other) for other in columns] for one in columns]


@dataclass(frozen=True)
class Difficulty:
    """How difficult a table's tasks are, and their training examples.

    Args:
        tasks: by name.
        notes: what is not measured, and why: plain sentences.
    """

    tasks: dict[str, TaskDifficulty]
    notes: list[str]

    def order(self, by: str) -> list[str]:
        """Return the tasks, easy before hard, by a measure; by meta data where a task is not measured by it."""
        measured = by in NEED_FEATURES and all(getattr(task, by) is not None for task in self.tasks.values())
        hard = {
            name: float(task.examples(by).mean()) if measured else float(task.about["score"] or 0.0)
            for name, task in self.tasks.items()
        }
        return sorted(hard, key=hard.__getitem__)


def measure_table(
    table: Table, config: RunConfig, measures: Collection[str] = MEASURES, label: str | None = None
) -> Difficulty:
    """Measure the difficulty of a table's training examples, and of its tasks.

    Args:
        table: the table.
        config: the run file: backbone, longest input, batch size, seed.
        measures: which of `MEASURES`; meta data is always there.
        label: what a progress bar says while texts are encoded; None shows none.

    Returns:
        The difficulty. Generation has meta data only. So has every task where the backbone starts from nothing.

    Raises:
        ModelError: the backbone cannot be loaded.
    """
    about = describe_tasks(table)
    found = {
        name: TaskDifficulty(
            table.rows(name, "train"), about[name], describe_examples(table, name), score_examples(table, name)
        )
        for name in table.tasks
    }
    notes: list[str] = []
    if not set(measures) & set(NEED_FEATURES):
        return Difficulty(found, notes)
    if config.model == "bilstm":
        notes.append("Difficulty is measured by meta data only: bilstm starts from nothing and has no features yet.")
        return Difficulty(found, notes)
    read = [name for name, task in table.tasks.items() if make_analysis(task).measures_features]
    for name in found.keys() - set(read):
        kind = table.tasks[name].kind
        notes.append(f"Task '{name}' is measured by meta data only: kind {kind} has no measure on features.")
    if read:
        train = table.splits["train"]
        rows = np.unique(np.concatenate([table.rows(name, "train") for name in read]))
        places = np.full(len(train), -1)
        places[rows] = np.arange(len(rows))
        features = read_base_features(config, table, read, rows, label)
        for name in read:
            rows, labels = found[name].rows, table.labels(name, "train")
            own = features[places[rows]]
            pvi, dynamics = None, None
            if "pvi" in measures:
                pvi = measure_pvi(table.tasks[name], own, labels, train[rows]["text"], config.train.seed)
                if pvi is None:
                    notes.append(f"Task '{name}' has no PVI: its training examples have one text.")
            if "dynamics" in measures:
                dynamics = measure_dynamics(table.tasks[name], own, labels, config.train.seed)
            found[name] = TaskDifficulty(rows, about[name], found[name].parts, found[name].metadata, pvi, dynamics)
    return Difficulty(found, notes)


def read_base_features(
    config: RunConfig, table: Table, tasks: Collection[str], rows: npt.NDArray[np.int64], label: str | None
) -> Floats:
    """Return what the untrained base model makes of training rows, as heads read it, rows × width.

    Args:
        config: the run file; its base model is not `bilstm`, which has no features before it is trained.
        table: its table.
        tasks: tasks of the rows, of kinds whose difficulty is measured on features.
        rows: the rows of train.
        label: what the bar is called; None shows none.

    Raises:
        ModelError: the backbone cannot be loaded.
    """
    # Without the output layer of a language model, which gives no hidden states.
    backbone, tokenizer = load_backbone(config.model, quantization=config.quantization)
    if config.quantization == "none":
        backbone.to(choose_device())
    modules = {name: table.tasks[name].replace(format="head") for name in tasks}
    reader = MultiTaskModel(backbone, tokenizer, modules, config.max_length, pooling=config.pooling)
    reader.to(backbone.device)
    with progress(label, len(rows), "row") as bar:
        texts = table.splits["train"].select(rows).select_columns(["text", "pair"])
        return encode_texts(reader, texts, config.train.eval_batch_size, bar)


def _spearman(one: Floats, other: Floats) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one, other).statistic)


def summarise(found: TaskDifficulty) -> dict[str, Any]:
    """Return a task's figures: meta data, mean PVI, confidence, variability, forgetting, share of suspected noise."""
    suspected, dynamics = found.suspected, found.dynamics
    return {
        **found.about,
        "examples": len(found.rows),
        "pvi": None if found.pvi is None else float(found.pvi.values.mean()),
        "confidence": None if dynamics is None else float(dynamics.confidence.mean()),
        "variability": None if dynamics is None else float(dynamics.variability.mean()),
        "forgetting": None if dynamics is None else float(dynamics.forgetting.mean()),
        "suspected": None if suspected is None else float(suspected.mean()),
    }
