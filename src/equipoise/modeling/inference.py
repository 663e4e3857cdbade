"""Predictions for many rows, quickly and whatever the batch size."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import gather_scored, gather_tokens, pad_rows
from equipoise.kinds import Generation, Task, TokenWindow
from equipoise.progress import Progress

from .evaluating import evaluating, longest_first
from .generating import generate
from .model import MultiTaskModel


def infer(
    model: MultiTaskModel,
    rows: Any,
    wanted: Mapping[str, npt.NDArray[np.int64]],
    batch_size: int,
    bar: Progress | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Predict for tokenized rows, longest first, so that padding is small and memory trouble comes at once.

    Args:
        model: the model; its mode (training or evaluation) is put back afterwards.
        rows: tokenized rows, a `datasets.Dataset`.
        wanted: for each task the indices of the rows to answer for.
        batch_size: rows in a batch; changes the speed, not the answers (up to rounding).
        bar: moved by the rows done, `count_work` in all.

    Returns:
        For each task the predictions in the order of its indices: probabilities (rows × classes, or × labels), scores
        (rows,) in the user's units, or texts (rows,), objects; JSON for tasks that read tokens.
    """
    written = {task: indices for task, indices in wanted.items() if model.tasks[task].writes_text}
    slots = {task: _slots(indices, len(rows)) for task, indices in wanted.items() if task not in written}
    needed = np.flatnonzero(np.any([slot >= 0 for slot in slots.values()], axis=0)) if slots else np.zeros(0, int)
    # Reading the lengths of all rows would take longer than scoring a few.
    lengths = np.asarray([len(ids) for ids in rows.select(needed)["input_ids"]])
    found: dict[str, npt.NDArray[Any]] = {}
    with evaluating(model), torch.inference_mode():
        for chosen in longest_first(needed, lengths, batch_size, bar):
            items = rows.select(chosen).to_list()
            own = {task: np.flatnonzero(slot[chosen] >= 0) for task, slot in slots.items()}
            outputs = model(*make_batch(model, items, own))
            for task, index in own.items():
                values = model.head(task).predict(outputs[task]).cpu().double().numpy()
                if model.tasks[task].has_token_head:
                    values = _read_cells(model.tasks[task], [items[row] for row in index], values)
                values = model.tasks[task].clip(values)
                if task not in found:
                    found[task] = np.empty((len(wanted[task]), *values.shape[1:]), values.dtype)
                found[task][slots[task][chosen[index]]] = values
        for task, indices in written.items():
            found[task] = _write(model, task, rows, indices, batch_size, bar)
    return found


def count_work(model: MultiTaskModel, wanted: Mapping[str, npt.NDArray[np.int64]]) -> int:
    """Count the rows that `infer` goes through: once for all tasks that are scored, and once for each text to write."""
    written = [task for task in wanted if model.tasks[task].writes_text]
    scored = [indices for task, indices in wanted.items() if task not in written]
    return len(np.unique(np.concatenate([*scored, []]))) + sum(len(wanted[task]) for task in written)


def make_batch(
    model: MultiTaskModel, items: list[dict[str, Any]], own: Mapping[str, npt.NDArray[np.int64]]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """Make what the model reads, where it computes.

    Args:
        model: the model.
        items: rows that `MultiTaskModel.encode_rows` returned.
        own: for each task the rows of these to answer for.

    Returns:
        The arguments of `MultiTaskModel.forward`.
    """
    inputs = pad_rows(items, model.tokenizer)
    width = inputs["input_ids"].shape[1]
    scored = {}
    for task, index in own.items():
        if model.tasks[task].is_prompted:
            scored[task] = gather_scored(items, index.tolist(), model.tasks[task], width)
        elif model.tasks[task].has_token_head:
            scored[task] = gather_tokens(items, index.tolist(), width)
    return (
        {name: tensor.to(model.device) for name, tensor in inputs.items()},
        {task: torch.from_numpy(index).to(model.device) for task, index in own.items()},
        {task: {name: tensor.to(model.device) for name, tensor in entry.items()} for task, entry in scored.items()},
    )


def _read_cells(task: Task, items: Sequence[dict[str, Any]], cells: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Return the predictions for some rows, shape (rows,), from what a head says of their cells, row after row."""
    found = np.empty(len(items), dtype=object)
    start = 0
    for row, item in enumerate(items):
        offsets = np.reshape(item["offsets"], (-1, 2)).astype(np.int64)
        end = start + task.count_cells(len(offsets))
        found[row] = task.read_cells(item["text"], [TokenWindow(offsets, cells[start:end])])
        start = end
    return found


def _write(
    model: MultiTaskModel,
    name: str,
    rows: Any,
    indices: npt.NDArray[np.int64],
    batch_size: int,
    bar: Progress | None,
) -> npt.NDArray[Any]:
    """Write a task's texts, the longest prompts first."""
    task = model.tasks[name]
    prompts = rows.select(indices)[f"prompt:{name}"][:]
    texts = np.empty(len(prompts), dtype=object)
    lengths = np.array([len(prompt) for prompt in prompts])
    for chosen in longest_first(np.arange(len(prompts)), lengths, batch_size, bar):
        texts[chosen] = generate(model, cast(Generation, task), [prompts[number] for number in chosen])
    return texts


def _slots(indices: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """For each row its position among a task's answers, -1 where none is wanted."""
    slots = np.full(rows, -1)
    slots[indices] = np.arange(len(indices))
    return slots
