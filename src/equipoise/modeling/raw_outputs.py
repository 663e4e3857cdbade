"""What heads give for many rows, before it becomes predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.data import FlatRows, RowBatch
from equipoise.progress import Progress

from .evaluating import evaluating, longest_first
from .inference import make_batch
from .model import MultiTaskModel


def infer_outputs(
    model: MultiTaskModel, rows: Any, tasks: Sequence[str], batch_size: int, bar: Progress | None = None
) -> dict[str, list[Tensor]]:
    """Return the outputs of heads for every row, in evaluation mode.

    Args:
        model: the model; its mode is put back afterwards.
        rows: what `MultiTaskModel.encode_rows` returned, a `datasets.Dataset`; of texts in windows each is a row.
        tasks: whose outputs; none of them writes text.
        batch_size: rows in a batch.
        bar: moved by the rows done.

    Returns:
        For each task its outputs for each row, on the CPU: shape (outputs of a row,), or () for a score; for heads that
        read tokens (cells of the row, outputs).
    """
    found: dict[str, list[Tensor]] = {task: [torch.zeros(0)] * len(rows) for task in tasks}
    table = FlatRows(rows)
    # Not in inference mode: what it makes cannot be learnt from.
    with evaluating(model), torch.no_grad():
        for chosen in longest_first(np.arange(len(rows)), table.lengths("input_ids"), batch_size, bar):
            batch = table.take(chosen)
            outputs = model(*make_batch(model, batch, {task: np.arange(len(batch)) for task in tasks}))
            for task in tasks:
                for row, part in zip(chosen.tolist(), _by_row(model, task, batch, outputs[task]), strict=True):
                    # A copy: a view would keep the whole batch.
                    found[task][row] = part.float().to("cpu", copy=True)
    return found


def _by_row(model: MultiTaskModel, task: str, rows: RowBatch, outputs: Tensor) -> Sequence[Tensor]:
    about = model.tasks[task]
    if not about.has_token_head:
        return outputs.unbind()
    return outputs.split([about.count_cells(length // 2) for length in rows.lengths("offsets").tolist()])
