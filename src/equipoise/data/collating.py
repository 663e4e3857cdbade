"""From rows to a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from equipoise.kinds import Task

from .flat_rows import EncodedRows, Places, RowBatch, as_batch, spread

_TARGETS = {"int64": np.int64, "float64": np.float32, "list<int8>": np.float32}
"""What targets are, by `Task.label_type`."""


class Collator:
    """Pad rows to the longest of them and gather each task's labels.

    Args:
        tokenizer: pads, on its own side and with its own token.
        tasks: the tasks by name.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tasks: Mapping[str, Task]) -> None:
        self._tokenizer = tokenizer
        self._tasks = dict(tasks)

    def __call__(self, rows: EncodedRows) -> dict[str, Any]:
        """Make a batch of rows that `tokenize` or `PromptEncoder.encode` returned.

        Args:
            rows: rows of `FlatRows`, or a dictionary for each row.

        Returns:
            - "inputs": see `pad_rows`;
            - "rows": for each task the rows of the batch that carry its label, once for each of its targets;
            - "targets": for each task the labels of these rows, float32 in the user's units for regression,
              int64 class index for classification, float32 0 or 1 of shape (rows, labels) for multilabel, int64 tokens
              for text to generate, int64 class index of each cell that is learnt from for tasks that read tokens; all
              are empty where the batch has none;
            - "scored": for each task in the format `prompt` the tokens to score: see `gather_scored`; for each task
              whose head reads tokens these tokens: see `gather_tokens`;
            - "index": each row's number in its split;
            - "lengths": each row's tokens without padding, an array, which no GPU is asked for.
        """
        batch = as_batch(rows)
        inputs = pad_rows(batch, self._tokenizer)
        width = inputs["input_ids"].shape[1]
        owners: dict[str, Tensor] = {}
        targets: dict[str, Tensor] = {}
        scored: dict[str, dict[str, Tensor]] = {}
        for name, task in self._tasks.items():
            label = f"label:{name}"
            labelled = batch.find(label)
            owners[name] = torch.from_numpy(labelled)
            if task.is_prompted:
                scored[name] = gather_scored(batch, labelled, task, width)
            if task.writes_text:
                owners[name] = scored[name]["positions"] // width
                targets[name] = scored[name]["tokens"]
            elif task.has_token_head:
                scored[name] = gather_tokens(batch, labelled, width, self._tokenizer.padding_side)
                owners[name], targets[name] = _gather_cells(batch, labelled, task)
            else:
                targets[name] = _gather_labels(batch.part(labelled), label, task)
        return {
            "inputs": inputs,
            "rows": owners,
            "targets": targets,
            "scored": scored,
            "index": torch.from_numpy(batch.numbers("index").astype(np.int64)),
            "lengths": batch.lengths("input_ids"),
        }


def pad_rows(rows: EncodedRows, tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Pad rows to the longest of them.

    Args:
        rows: rows that `tokenize` or `PromptEncoder.encode` returned: of `FlatRows`, or a dictionary for each.
        tokenizer: pads, on its own side and with its own token; trees on the right.

    Returns:
        Of shape (rows, tokens): "input_ids", "attention_mask" and, if the tokenizer makes them, "token_type_ids"; for
        trees "input_ids", "position_ids" and "ends", and of shape (rows,) "length" and "text_length".
    """
    batch = as_batch(rows)
    lengths = batch.lengths("input_ids")
    width = int(lengths.max(initial=0))
    own = np.arange(width) < lengths[:, None]
    if batch.has("ends"):
        # Padding sees itself only, and nothing else sees it.
        fill = {"input_ids": tokenizer.pad_token_id, "position_ids": 0, "ends": np.arange(1, width + 1)}
        further = {"length": lengths, "text_length": batch.numbers("text_length").astype(np.int64)}
    else:
        fill = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        if tokenizer.padding_side == "left":
            own = np.ascontiguousarray(own[:, ::-1])
        further = {"attention_mask": own.astype(np.int64)}
    padded = {}
    for name, value in fill.items():
        if batch.has(name):
            padded[name] = np.empty((len(batch), width), dtype=np.int64)
            padded[name][:] = value
            padded[name][own] = batch.lists(name)[0]
    return {name: torch.from_numpy(values) for name, values in (padded | further).items()}


def gather_tokens(
    rows: EncodedRows, chosen: Sequence[int] | Places, width: int, padding_side: str
) -> dict[str, Tensor]:
    """Gather the tokens of the text that a head reads on some rows of a batch.

    Args:
        rows: the rows of the batch, with "text_start" and "offsets" (see `tokenize`).
        chosen: which of them.
        width: tokens of a row of the padded batch.
        padding_side: the tokenizer's; trees are padded on the right.

    Returns:
        "positions" in the flattened rows × tokens, shape (n,), row after row; "counts", how many each row has, shape
        (rows,).
    """
    places = np.asarray(chosen, dtype=np.int64)
    part = as_batch(rows).part(places)
    counts = part.lengths("offsets") // 2
    starts = places * width + part.numbers("text_start").astype(np.int64)
    if padding_side == "left" and not part.has("ends"):
        starts += width - part.lengths("input_ids")
    return {"positions": torch.from_numpy(spread(starts, counts)), "counts": torch.from_numpy(counts)}


def _gather_labels(rows: RowBatch, label: str, task: Task) -> Tensor:
    """Return the labels of some rows, all of which have one."""
    of_type, shape = _TARGETS[task.label_type], (len(rows), *task.label_shape)
    # Also without any row, the targets of several labels have two dimensions.
    if not len(rows):
        return torch.from_numpy(np.zeros(shape, dtype=of_type))
    values = rows.lists(label)[0] if task.label_shape else rows.numbers(label)
    return torch.from_numpy(values.astype(of_type).reshape(shape))


def _gather_cells(rows: RowBatch, chosen: Places, task: Task) -> tuple[Tensor, Tensor]:
    """Return of each cell of some rows its row and its target."""
    part = rows.part(chosen)
    cells = [
        task.cell_targets(label, text, offsets)
        for label, text, offsets in zip(
            part.objects(f"label:{task.name}"), part.objects("text"), split_offsets(part), strict=True
        )
    ]
    counts = np.array([len(one) for one in cells], dtype=np.int64)
    found = np.concatenate([*cells, np.zeros(0, np.int64)])
    return torch.from_numpy(np.repeat(chosen, counts)), torch.from_numpy(found)


def split_offsets(rows: RowBatch) -> list[npt.NDArray[np.int64]]:
    """Return for each row where its tokens start and end in the text, tokens × 2."""
    values, lengths = rows.lists("offsets")
    return np.split(values.astype(np.int64).reshape(-1, 2), np.cumsum(lengths // 2)[:-1]) if len(lengths) else []


def gather_scored(rows: EncodedRows, chosen: Sequence[int] | Places, task: Task, width: int) -> dict[str, Tensor]:
    """Gather the tokens that a task scores on some rows of a batch.

    Args:
        rows: the rows of the batch.
        chosen: which of them.
        task: the task.
        width: tokens of a row of the padded batch.

    Returns:
        Each of shape (n,): "positions" in the flattened rows × tokens; "tokens"; "slots", the answer each belongs to,
        counted over all of the rows.
    """
    places = np.asarray(chosen, dtype=np.int64)
    part = as_batch(rows).part(places)
    (positions, lengths), (slots, _) = (part.lists(f"{name}:{task.name}") for name in ("positions", "slots"))
    starts = {"positions": places * width, "slots": np.arange(len(places)) * max(1, task.answers)}
    found = {
        "positions": positions + np.repeat(starts["positions"], lengths),
        "tokens": part.lists(f"tokens:{task.name}")[0],
        "slots": slots + np.repeat(starts["slots"], lengths),
    }
    return {name: torch.from_numpy(values.astype(np.int64)) for name, values in found.items()}
