"""One live model into which candidates are merged, scored, and taken out again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from torch import Tensor

from equipoise.config import RunConfig
from equipoise.data import Table
from equipoise.devices import choose_device
from equipoise.evaluation import Predictions
from equipoise.merging import (
    Base,
    HeadPolicy,
    Vector,
    combine_models,
    common_base,
    find_experts,
    read_vectors,
)
from equipoise.modeling import FrozenLayers, MultiTaskModel, infer, layers_below
from equipoise.precision import compute_type, computing_in
from equipoise.progress import Progress

from .refitting import last_inputs, refit_module

Indices = npt.NDArray[np.int64]


class Workbench:
    """The experts of a run file, their base, and one model with all tasks.

    A candidate is written from pristine copies of the base's tensors, into memory only, and these are put back
    afterwards.

    Args:
        config: the run file.
        table: its table.
        folders: the experts' folders.

    Raises:
        UsageError, ModelError: see `equipoise.merging.merge`.
    """

    def __init__(self, config: RunConfig, table: Table, folders: Sequence[Path]) -> None:
        self.config, self.table = config, table
        experts = find_experts(folders)
        self.base = Base.load(
            common_base(experts, config.model), language_model=any(expert.language_model for expert in experts)
        )
        self.vectors: dict[str, Vector] = read_vectors(experts, self.base)
        on = (self.base.backbone, self.base.tokenizer)
        models = {expert.name: MultiTaskModel.from_pretrained(expert.folder, on=on) for expert in experts}
        self.model = combine_models(models, HeadPolicy.ERROR).put_on(self.base)
        self.model.to(choose_device())
        changed = {name for vector in self.vectors.values() for name in vector.tensors}
        # No candidate changes what lies below all that experts have learnt.
        self._frozen_layers = FrozenLayers(
            self.model, layers_below(self.base.backbone, changed), config.train.frozen_memory_gb
        )
        self._encoded: dict[str, Dataset] = {}

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The base's tensors by name."""
        return self.base.tensors

    @cached_property
    def linear(self) -> set[str]:
        """The names of the weights of linear layers."""
        return self.base.linear

    @property
    def task_vectors(self) -> dict[str, dict[str, Tensor]]:
        """What each expert learnt, by the expert's task."""
        return {name: vector.tensors for name, vector in self.vectors.items()}

    @property
    def refits(self) -> bool:
        """Whether last layers are refitted to what is applied."""
        return self.config.merge.refit and any(not task.is_prompted for task in self.model.tasks.values())

    @contextmanager
    def applied(self, vector: Mapping[str, Tensor]) -> Iterator[MultiTaskModel]:
        """Yield the model with a merged task vector added; afterwards it is as before."""
        with self.base.changed(vector):
            yield self.model

    def predict(
        self, split: str, wanted: Mapping[str, Indices], *, precise: bool = True, bar: Progress | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Predict for rows of a split, with whatever is applied.

        Args:
            split: the split's name.
            wanted: for each task the indices of the rows to answer for.
            precise: compute in float32, as whenever something is reported; else in `train.precision`.
            bar: moved by the rows done.
        """
        device = self.model.device.type
        dtype = torch.float32 if precise else compute_type(self.config.train.precision, device)
        with computing_in(dtype, device), self._frozen_layers.cached():
            return infer(self.model, self.rows(split), wanted, self.config.train.eval_batch_size, bar)

    @contextmanager
    def refitted(
        self, rows: Mapping[str, Indices], *, precise: bool = True, by_dev: bool = False, bar: Progress | None = None
    ) -> Iterator[None]:
        """Refit the last layers of heads to what is applied, for a while, if the run file wants it.

        Args:
            rows: for each task indices into the training rows to fit to.
            precise: see `predict`.
            by_dev: choose penalties on dev.
            bar: moved by the rows done.
        """
        chosen = {task: rows[task] for task in rows if not self.model.tasks[task].is_prompted}
        if not self.refits or not chosen:
            yield
            return
        modules = {task: self.model.head(task) for task in chosen}
        with self.model.replacing(last_inputs(modules)):
            train = self.predict("train", chosen, precise=precise, bar=bar)
            dev = {task: self.table.rows(task, "dev") for task in chosen} if by_dev else {}
            read = self.predict("dev", dev, precise=precise, bar=bar) if by_dev else {}
        refitted = {}
        for task, module in modules.items():
            places = self.table.rows(task, "train")
            labels = self.table.labels(task, "train")[np.searchsorted(places, chosen[task])]
            held = (read[task], self.table.labels(task, "dev")) if by_dev else None
            refitted[task] = refit_module(self.table.tasks[task], module, (train[task], labels), held)
        with self.model.replacing(refitted):
            yield

    def predict_split(self, split: str, tasks: Sequence[str], bar: Progress | None = None) -> Predictions:
        """Predict for all rows of a split that carry a label of these tasks."""
        return self.predict(split, {task: self.table.rows(task, split) for task in tasks}, bar=bar)

    def rows(self, split: str) -> Dataset:
        """The rows of a split as the model reads them."""
        if split not in self._encoded:
            wanted = {task: self.table.rows(task, split) for task in self.model.tasks}
            self._encoded[split], _ = self.model.encode_rows(self.table.splits[split], wanted)
        return self._encoded[split]
