"""Predictions for many rows, quickly and whatever the batch size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from equipoise.progress import Progress

from .model import MultiTaskModel


def infer(
    model: MultiTaskModel,
    rows: Any,
    wanted: Mapping[str, npt.NDArray[np.int64]],
    batch_size: int,
    bar: Progress | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Predict for tokenised rows, longest first, so that padding is small and memory trouble comes at once.

    Args:
        model: the model; its mode (training or evaluation) is put back afterwards.
        rows: tokenised rows, a `datasets.Dataset`.
        wanted: for each task the indices of the rows to answer for.
        batch_size: rows in a batch; changes the speed, not the answers (up to rounding).
        bar: moved by the rows done.

    Returns:
        For each task the predictions in the order of its indices: probabilities (rows × classes) or scores
        (rows,) in the user's units.
    """
    fields = [name for name in model.tokenizer.model_input_names if name in rows.column_names]
    lengths = np.asarray([len(ids) for ids in rows["input_ids"]])
    slots = {task: _slots(indices, len(rows)) for task, indices in wanted.items()}
    needed = np.flatnonzero(np.any([slot >= 0 for slot in slots.values()], axis=0))
    order = needed[np.argsort(-lengths[needed], kind="stable")]
    found: dict[str, npt.NDArray[np.float64]] = {}
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                batch = rows[chosen.tolist()]
                padded = model.tokenizer.pad({name: batch[name] for name in fields}, return_tensors="pt")
                own = {task: np.flatnonzero(slot[chosen] >= 0) for task, slot in slots.items()}
                outputs = model(
                    {name: tensor.to(model.device) for name, tensor in padded.items()},
                    {task: torch.from_numpy(index).to(model.device) for task, index in own.items()},
                )
                for task, index in own.items():
                    values = model.task_module(task).predict(outputs[task]).cpu().double().numpy()
                    if task not in found:
                        found[task] = np.empty((len(wanted[task]), *values.shape[1:]))
                    found[task][slots[task][chosen[index]]] = values
                if bar is not None:
                    bar.advance(len(chosen))
    finally:
        model.train(was_training)
    return found


def _slots(indices: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """For each row its position among a task's answers, -1 where none is wanted."""
    slots = np.full(rows, -1)
    slots[indices] = np.arange(len(indices))
    return slots
