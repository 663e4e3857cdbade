"""The loss of single rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import Collator, FlatRows
from equipoise.modeling import evaluating
from equipoise.training import PreparedRun

Rows = npt.NDArray[np.int64]


def measure_losses(run: PreparedRun, split: str, task: str, rows: Rows) -> npt.NDArray[np.float64]:
    """Compute the loss of rows under a model, without dropout.

    Of a text in windows the first one is read.

    Args:
        run: the run, its model trained.
        split: the split.
        task: the task.
        rows: the rows, each with a label of the task.

    Returns:
        The loss of each row, shape (rows,): the mean over what the row is learnt by, such as its tokens.
    """
    model, losses, size = run.model, np.zeros(len(rows)), run.config.train.eval_batch_size
    own = {task: np.arange(len(rows))}
    encoded, _ = model.encode_rows(run.table.splits[split].select(rows), own, learning=True, windows=False)
    # Other labels on these rows would only cost time.
    flat, collate = FlatRows(encoded), Collator(model.tokenizer, {task: run.table.tasks[task]})
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(rows), size):
            chosen = slice(start, min(start + size, len(rows)))
            batch = _moved(collate(flat.take(range(chosen.start, chosen.stop))), model.device)
            outputs = model(batch["inputs"], batch["rows"], batch["scored"])
            entries = model.losses({task: outputs[task].float()}, {task: batch["targets"][task]})[task]
            owners = batch["rows"][task]
            sums = torch.zeros(chosen.stop - chosen.start, device=entries.device).index_add_(0, owners, entries)
            counts = torch.zeros_like(sums).index_add_(0, owners, torch.ones_like(entries))
            losses[chosen] = (sums / counts.clamp(min=1)).cpu().double().numpy()
    return losses


def _moved(value: Any, device: torch.device) -> Any:
    """Return a batch on a device."""
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value
