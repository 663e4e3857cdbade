"""Predictions for many rows, quickly and whatever the batch size."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import (
    EncodedRows,
    FlatRows,
    RowBatch,
    as_batch,
    find_owners,
    gather_scored,
    gather_tokens,
    pad_rows,
)
from equipoise.kinds import Task
from equipoise.progress import Progress

from .concurrent import map_batches
from .evaluating import evaluating, longest_first
from .generating import generate
from .model import MultiTaskModel
from .window_answers import cut_cells, gather_answers

_CPU_PASS = 64
"""As many tokens as a CPU reads in the time that a pass takes beyond its tokens: MiniLM 50, larger models fewer."""


def infer(
    model: MultiTaskModel,
    rows: Any,
    wanted: Mapping[str, npt.NDArray[np.int64]],
    batch_size: int,
    bar: Progress | None = None,
    *,
    concurrent: int = 1,
) -> dict[str, npt.NDArray[Any]]:
    """Predict for tokenized rows, longest first, so that padding is small and memory trouble comes at once.

    Of texts in windows all windows are read (see `WindowMeans` and `WindowCells`).

    Args:
        model: the model; its mode (training or evaluation) is put back afterwards.
        rows: tokenized rows, a `datasets.Dataset`.
        wanted: for each task the indices of the rows to answer for.
        batch_size: rows, or windows, in a batch; changes the speed, not the answers (up to rounding).
        bar: moved by the rows done, `count_work` in all.
        concurrent: batches that are read at once (see `count_concurrent`); texts are written one batch after the other.

    Returns:
        For each task the predictions in the order of its indices, not calibrated (`Task.calibrate` does it):
        probabilities (rows × classes, or × labels), scores (rows,) in the user's units, or texts (rows,), objects; JSON
        for tasks that find words in the text.
    """
    written = {task: indices for task, indices in wanted.items() if model.tasks[task].writes_text}
    scored = {task: indices for task, indices in wanted.items() if task not in written}
    with evaluating(model), torch.inference_mode():
        score = _score_windows if model.reads_windows else _score
        found = score(model, rows, scored, batch_size, bar, concurrent)
        for task, indices in written.items():
            found[task] = _write(model, task, rows, indices, batch_size, bar)
    return found


def _score(
    model: MultiTaskModel,
    rows: Any,
    wanted: Mapping[str, npt.NDArray[np.int64]],
    batch_size: int,
    bar: Progress | None,
    concurrent: int,
) -> dict[str, npt.NDArray[Any]]:
    """Predict for rows that are read once each."""
    slots = {task: _slots(indices, len(rows)) for task, indices in wanted.items()}
    needed = _find_needed(slots)
    table = _gather(rows, needed)
    slots = {task: slot[needed] for task, slot in slots.items()}
    found: dict[str, npt.NDArray[Any]] = {}
    batches = _batches(model, table, batch_size, bar)
    for _, answers in map_batches(partial(_answer, model, table, slots), batches, concurrent):
        for task, (places, texts, outputs) in answers.items():
            values = model.head(task).predict(outputs).cpu().double().numpy()
            if model.tasks[task].has_token_head:
                values = _read_cells(model.tasks[task], texts, values)
            values = model.tasks[task].clip(values)
            if task not in found:
                found[task] = np.empty((len(wanted[task]), *values.shape[1:]), values.dtype)
            found[task][places] = values
    return found


def _score_windows(
    model: MultiTaskModel,
    rows: Any,
    wanted: Mapping[str, npt.NDArray[np.int64]],
    batch_size: int,
    bar: Progress | None,
    concurrent: int,
) -> dict[str, npt.NDArray[Any]]:
    """Predict for texts from all of their windows."""
    owners = find_owners(rows)
    slots = {task: _slots(indices, len(rows))[owners] for task, indices in wanted.items()}
    needed = _find_needed(slots)
    # Windows of a text, which are equally long, come one after the other.
    needed = needed[np.argsort(owners[needed], kind="stable")]
    answers = {task: gather_answers(model, task, slot[slot >= 0]) for task, slot in slots.items()}
    table = _gather(rows, needed)
    slots = {task: slot[needed] for task, slot in slots.items()}
    is_first = owners[needed] == needed
    batches = _batches(model, table, batch_size, None)
    for chosen, read in map_batches(partial(_answer, model, table, slots), batches, concurrent):
        for task, found in read.items():
            answers[task].add(*found)
        if bar is not None:
            bar.advance(int(is_first[chosen].sum()))
    predictions = {task: of_task.predict() for task, of_task in answers.items()}
    return {task: model.tasks[task].clip(values) for task, values in predictions.items() if values is not None}


def _find_needed(slots: Mapping[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Return the rows that any task answers for."""
    return np.flatnonzero(np.any([slot >= 0 for slot in slots.values()], axis=0)) if slots else np.zeros(0, np.int64)


def _gather(rows: Any, needed: npt.NDArray[np.int64]) -> FlatRows:
    """Return some rows, in order; to read all of them would take longer than scoring a few."""
    if np.array_equal(needed, np.arange(len(rows))):
        return FlatRows(rows)
    return FlatRows(rows.with_format("arrow")[needed.tolist()])


def _batches(
    model: MultiTaskModel, table: FlatRows, batch_size: int, bar: Progress | None
) -> Iterator[npt.NDArray[np.int64]]:
    lengths = table.lengths("input_ids")
    pass_cost = _CPU_PASS if model.device.type == "cpu" else None
    return longest_first(np.arange(len(lengths)), lengths, batch_size, bar, pass_cost)


def _answer(
    model: MultiTaskModel, table: FlatRows, slots: Mapping[str, npt.NDArray[np.int64]], chosen: npt.NDArray[np.int64]
) -> dict[str, tuple[npt.NDArray[np.int64], RowBatch, Tensor]]:
    """Return for each task the places of a batch's answers, their rows, and the head's outputs for them."""
    batch = table.take(chosen)
    own = {task: np.flatnonzero(slot[chosen] >= 0) for task, slot in slots.items()}
    with torch.inference_mode():  # it holds for one thread, and this may be another one
        outputs = model(*make_batch(model, batch, own))
    return {task: (slots[task][chosen[index]], batch.part(index), outputs[task]) for task, index in own.items()}


def count_work(model: MultiTaskModel, wanted: Mapping[str, npt.NDArray[np.int64]]) -> int:
    """Count the rows that `infer` goes through: once for all tasks that are scored, and once for each text to write."""
    written = [task for task in wanted if model.tasks[task].writes_text]
    scored = [indices for task, indices in wanted.items() if task not in written]
    return len(np.unique(np.concatenate([*scored, []]))) + sum(len(wanted[task]) for task in written)


def make_batch(
    model: MultiTaskModel, rows: EncodedRows, own: Mapping[str, npt.NDArray[np.int64]]
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """Make what the model reads, where it computes.

    Args:
        model: the model.
        rows: rows that `MultiTaskModel.encode_rows` returned: of `FlatRows`, or a dictionary for each.
        own: for each task the rows of these to answer for.

    Returns:
        The arguments of `MultiTaskModel.forward`.
    """
    batch = as_batch(rows)
    inputs = pad_rows(batch, model.tokenizer)
    width = inputs["input_ids"].shape[1]
    scored = {}
    for task, index in own.items():
        if model.tasks[task].is_prompted:
            scored[task] = gather_scored(batch, index, model.tasks[task], width)
        elif model.tasks[task].has_token_head:
            scored[task] = gather_tokens(batch, index, width, model.tokenizer.padding_side)
    return (
        {name: tensor.to(model.device) for name, tensor in inputs.items()},
        {task: torch.from_numpy(index).to(model.device) for task, index in own.items()},
        {task: {name: tensor.to(model.device) for name, tensor in entry.items()} for task, entry in scored.items()},
    )


def _read_cells(task: Task, rows: RowBatch, cells: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Return the predictions for some rows, shape (rows,), from what a head says of their cells, row after row."""
    found = np.empty(len(rows), dtype=object)
    for row, (text, window) in enumerate(zip(rows.objects("text"), cut_cells(task, rows, cells), strict=True)):
        found[row] = task.read_cells(text, [window])
    return found


def _write(
    model: MultiTaskModel,
    name: str,
    rows: Any,
    indices: npt.NDArray[np.int64],
    batch_size: int,
    bar: Progress | None,
) -> npt.NDArray[Any]:
    """Write a task's texts, the longest prompts first, and return the predictions that they are."""
    task = model.tasks[name]
    asked = rows.select(indices)
    prompts, texts = asked[f"prompt:{name}"][:], asked["text"][:]
    found = np.empty(len(prompts), dtype=object)
    lengths = np.array([len(prompt) for prompt in prompts])
    for chosen in longest_first(np.arange(len(prompts)), lengths, batch_size, bar):
        written = generate(model, task, [prompts[number] for number in chosen])
        for number, answer in zip(chosen, written, strict=True):
            found[number] = task.read_written(texts[number], answer)
    return found


def _slots(indices: npt.NDArray[np.int64], rows: int) -> npt.NDArray[np.int64]:
    """For each row its position among a task's answers, -1 where none is wanted."""
    slots = np.full(rows, -1)
    slots[indices] = np.arange(len(indices))
    return slots
