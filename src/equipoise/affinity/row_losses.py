"""The loss of single rows."""

import math
from collections.abc import Iterator, Sequence
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

_FEWEST = 30
"""With fewer rows no temperature is fitted."""
_LOG_TEMPERATURES = (math.log(0.1), math.log(10.0))


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
        calibrate: divide logits by the temperature that makes the mean of the losses smallest, so that a model that is
            too sure loses nothing by it. Fewer than 30 rows, and kinds without logits, stay as they are.

    Returns:
        The loss of each row, shape (rows,): the mean over what the row is learnt by, such as its tokens.
    """
    objective, batches = run.model.head(task).objective, _read(run, split, task, rows)
    if not (calibrate and objective.gives_logits and len(rows) >= _FEWEST):
        return np.concatenate([_losses(objective, batch) for batch in batches])
    return _calibrated_losses(objective, list(batches))


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


def _losses(objective: Objective, batch: _Batch, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    entries = objective.loss(batch.outputs / temperature, batch.targets)
    sums = torch.zeros(batch.rows, device=entries.device).index_add_(0, batch.owners, entries)
    counts = torch.zeros_like(sums).index_add_(0, batch.owners, torch.ones_like(entries))
    return np.asarray((sums / counts.clamp(min=1)).cpu().double().numpy())


def _calibrated_losses(objective: Objective, batches: Sequence[_Batch]) -> npt.NDArray[np.float64]:
    # Only a fit needs scipy.
    from scipy.optimize import minimize_scalar

    def lose(log_temperature: float) -> npt.NDArray[np.float64]:
        return np.concatenate([_losses(objective, batch, math.exp(log_temperature)) for batch in batches])

    return lose(minimize_scalar(lambda log: lose(log).mean(), bounds=_LOG_TEMPERATURES, method="bounded").x)


def _moved(value: Any, device: torch.device) -> Any:
    """Return a batch on a device."""
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value
