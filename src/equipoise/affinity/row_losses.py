"""The loss of single rows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from equipoise.data import Collator, FlatRows
from equipoise.kinds import Objective
from equipoise.modeling import evaluating
from equipoise.training import PreparedRun

Rows = npt.NDArray[np.int64]


def measure_losses(
    run: PreparedRun, split: str, task: str, rows: Rows, *, calibrate: bool = False
) -> npt.NDArray[np.float64]:
    """Compute the loss of rows under a model, without dropout.

    Of a text in windows the first one is read.

    Args:
        run: the run, its model trained.
        split: the split.
        task: the task.
        rows: the rows, each with a label of the task.
        calibrate: calibrate the outputs on these rows first (see `Objective.calibrate`), so that a model that is too
            sure loses nothing by it.

    Returns:
        The loss of each row, shape (rows,): the mean over what the row is learnt by, such as its tokens.
    """
    objective, batches = run.model.head(task).objective, _read(run, split, task, rows)
    if not (calibrate and objective.calibrates):
        return np.concatenate([_losses(objective, batch) for batch in batches])
    kept = list(batches)
    parts = [torch.cat(of_rows) for of_rows in zip(*(batch[:2] for batch in kept), strict=True)]
    outputs = objective.calibrate(*parts).split([len(batch.outputs) for batch in kept])
    return np.concatenate(
        [_losses(objective, batch._replace(outputs=of_batch)) for batch, of_batch in zip(kept, outputs, strict=True)]
    )


class _Batch(NamedTuple):
    """What a model makes of some rows: outputs and targets of what they are learnt by, and the row of each."""

    outputs: Tensor
    targets: Tensor
    owners: Tensor
    rows: int


def _read(run: PreparedRun, split: str, task: str, rows: Rows) -> Iterator[_Batch]:
    model, size = run.model, run.config.train.eval_batch_size
    own = {task: np.arange(len(rows))}
    encoded, _ = model.encode_rows(run.table.splits[split].select(rows), own, learning=True, windows=False)
    # Other labels on these rows would only cost time.
    flat, collate = FlatRows(encoded), Collator(model.tokenizer, {task: run.table.tasks[task]})
    with evaluating(model), torch.inference_mode():
        for start in range(0, len(rows), size):
            chosen = range(start, min(start + size, len(rows)))
            batch = _moved(collate(flat.take(chosen)), model.device)
            outputs = model(batch["inputs"], batch["rows"], batch["scored"])
            yield _Batch(outputs[task].float(), batch["targets"][task], batch["rows"][task], len(chosen))


def _losses(objective: Objective, batch: _Batch) -> npt.NDArray[np.float64]:
    entries = objective.loss(batch.outputs, batch.targets)
    sums = torch.zeros(batch.rows, device=entries.device).index_add_(0, batch.owners, entries)
    counts = torch.zeros_like(sums).index_add_(0, batch.owners, torch.ones_like(entries))
    return np.asarray((sums / counts.clamp(min=1)).cpu().double().numpy())


def _moved(value: Any, device: torch.device) -> Any:
    """Return a batch on a device."""
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value
