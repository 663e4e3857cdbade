"""Texts in, answers out, by torch."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset

from equipoise.checks import checked_path
from equipoise.data import make_dataset
from equipoise.devices import choose_device
from equipoise.kinds import Task
from equipoise.precision import PRECISIONS, check_precision
from equipoise.predicting import BasePredictor

from .concurrent import count_concurrent
from .ensembling import infer_texts
from .explaining import check_explained, explain_answers
from .model import MultiTaskModel

_COMPARED = 32
"""Texts whose answers are compared with those in float32."""


class Predictor(BasePredictor):
    """A trained model that answers for texts.

    Args:
        model: the model.
    """

    def __init__(self, model: MultiTaskModel) -> None:
        self.model = model
        self._compared = 0

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks the model answers for."""
        return self.model.tasks

    @property
    def max_length(self) -> int:
        """Most tokens of a text that are read at once."""
        return self.model.max_length

    @property
    def precision(self) -> str:
        """In what the backbone computes."""
        return next(name for name, dtype in PRECISIONS.items() if dtype is self.model.dtype)

    @property
    def concurrent(self) -> int:
        """Threads that may call `predict` at once, on a CPU one per core; see `BasePredictor.concurrent`."""
        # A call puts the mode back, which is a no-op only in evaluation mode.
        return 1 if self.model.training else count_concurrent(self.model)

    @property
    def cores(self) -> int:
        """Cores on which a call of `predict` in this thread computes."""
        return torch.get_num_threads()

    def use_cores(self, count: int) -> None:
        """Let later calls of `predict` in this thread compute on so many cores."""
        torch.set_num_threads(count)

    def infer(
        self,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        tasks: Collection[str],
        batch_size: int,
        *,
        prompts: int = 1,
        label: str | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Predict for texts that are read and checked; see `BasePredictor.infer`."""
        dataset = make_dataset({"text": texts, "pair": pairs})
        wanted = dict.fromkeys(tasks, np.arange(len(texts)))
        options = {"batch_size": batch_size, "prompts": prompts}
        found = infer_texts(self.model, dataset, wanted, label=label, on_read=self._count_cut, **options)
        if self.model.dtype is not torch.float32:
            self._compare(dataset, found, options)
        return found

    def _compare(self, dataset: Dataset, found: Mapping[str, npt.NDArray[Any]], options: Mapping[str, Any]) -> None:
        """Keep how far the first answers are from those in float32, where they are numbers."""
        some = min(len(dataset), _COMPARED)
        if some <= self._compared:
            return
        numbers = {task: values[:some] for task, values in found.items() if values.dtype.kind == "f"}
        wanted = dict.fromkeys(numbers, np.arange(some))
        exact = infer_texts(self.model.with_precision(torch.float32), dataset.select(range(some)), wanted, **options)
        self._compared = some
        self.rounding = {task: float(np.abs(values - exact[task]).max(initial=0.0)) for task, values in numbers.items()}

    def check_explained(self, explain: bool | int, tasks: Mapping[str, Task]) -> int:
        """Return the steps of explanations; see `BasePredictor.check_explained`."""
        return check_explained(explain, tasks, self.model)

    def explain(
        self,
        items: Sequence[tuple[str, str | None]],
        predictions: Mapping[str, npt.NDArray[Any]],
        batch_size: int,
        steps: int,
        *,
        show_progress: bool = False,
    ) -> dict[str, list[dict[str, Any]]]:
        """Find the words that decided; see `BasePredictor.explain`."""
        return explain_answers(self.model, items, predictions, batch_size, steps, show=show_progress)

    def _count_cut(self, texts: int, long: int) -> None:
        self.texts_read += texts
        self.texts_cut += 0 if self.model.reads_windows else long


def find_model(folder: str | Path) -> Path:
    """Return the folder of a model: the one given, or `model` in the folder of a run."""
    folder = checked_path("model", folder, "give the folder of a model or of a run")
    is_run = not (folder / "equipoise.json").is_file() and (folder / "model").is_dir()
    return folder / "model" if is_run else folder


def load(folder: str | Path, device: str | torch.device | None = None, precision: str = "fp32") -> Predictor:
    """Load a trained model.

    Args:
        folder: the `model` folder of a run, or the run's folder.
        device: where it computes, such as "cpu" or "cuda:1"; by default see `equipoise.devices.choose_device`.
        precision: in what its backbone computes: "fp32", "bf16", or on a GPU "fp16".

    Raises:
        ModelError: there is no model.
        UsageError: there is no such device, or it does not compute in that precision.
    """
    folder = find_model(folder)
    chosen = choose_device(device)
    dtype = check_precision(precision, chosen.type)
    return Predictor(MultiTaskModel.from_pretrained(folder).to(chosen).with_precision(dtype))
