"""One step on a few rows of a run, and their predictions, before it is trained."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import PartialState
from torch import Tensor

from equipoise.config import RunConfig
from equipoise.data import FlatRows
from equipoise.devices import choose_device
from equipoise.errors import EquipoiseError, ModelError
from equipoise.modeling import MultiTaskModel, infer, is_quantized, plain_attention, quiet_transformers
from equipoise.precision import compute_type, computing_in

from .prepared_run import PreparedRun
from .processes import count_processes

_ROWS = 2
_WRITTEN = 2
"""Most tokens that are generated."""
_LONGEST_NAME, _LONGEST_REASON = 100, 120


def try_step(run: PreparedRun) -> None:
    """Take a step forward and back on two rows at a time, and predict two rows; the model stays as it was.

    Each task is tried on its longest training row and on the one with the highest token. No random state is moved.

    Args:
        run: the run.

    Raises:
        ModelError: that fails, a task's loss is no finite number, or no gradient reaches the backbone.
    """
    config, model = run.config, run.model
    device = PartialState().device if count_processes() > 1 else choose_device()
    with quiet_transformers(), _as_it_was(model, device):
        doing = f"moving it to the device ({device.type})"
        try:
            model.to(device)
            doing = "a training step on two rows"
            _step(run, device)
            doing = "predicting two rows"
            _predict(run)
        except EquipoiseError:
            raise
        except Exception as error:  # whatever an architecture raises
            raise ModelError(_explain(config, model, doing, error)) from error


def _step(run: PreparedRun, device: torch.device) -> None:
    config, table, model, rows, collate = run.config, run.table, run.model, run.rows["train"], run.collate
    computed = compute_type(config.train.precision, device.type)
    flat = FlatRows(rows)
    chosen = _telling_rows(flat, [table.rows(name, "train") for name in table.tasks])
    model.train()
    with ExitStack() as held:
        if computed is torch.bfloat16 and device.type == "cpu":
            held.enter_context(plain_attention(model.backbone, model.max_length))
        for start in range(0, len(chosen), _ROWS):
            batch = _moved(collate(flat.take(chosen[start : start + _ROWS])), device)
            with computing_in(computed, device.type):
                outputs = model(batch["inputs"], batch["rows"], batch["scored"])
            losses = model.losses({task: output.float() for task, output in outputs.items()}, batch["targets"])
            _check_finite(losses, config, model)
            torch.stack([values.sum() for values in losses.values()]).sum().backward()
    trained = [parameter for parameter in model.backbone.parameters() if parameter.requires_grad]
    if trained and all(parameter.grad is None for parameter in trained):
        raise ModelError(
            f"model: no gradient reaches {_name(config, model)} from any task, so that it would not learn; choose "
            "another model, or leave out lora and gradient_checkpointing."
        )


def _predict(run: PreparedRun) -> None:
    """Let every scored task answer for two rows of dev."""
    table, rows, model = run.table, run.rows["dev"], run.model
    wanted = {name: table.rows(name, "dev") for name in table.scored}
    wanted = {name: index for name, index in wanted.items() if len(index)}
    flat = FlatRows(rows)
    few = {name: _telling_rows(flat, [index], f"prompt:{name}") for name, index in wanted.items()}
    shorter = model.with_tasks({name: task.shortened(_WRITTEN) for name, task in model.tasks.items()})
    infer(shorter, rows, few, _ROWS)


def _telling_rows(rows: FlatRows, wanted: list[npt.NDArray[np.int64]], column: str = "") -> npt.NDArray[np.int64]:
    """Of each list of rows the longest, and the one with the highest token."""
    name = column if rows.has(column) else "input_ids"
    lengths, tokens = rows.lengths(name), rows.column(name).values
    starts, filled = np.cumsum(lengths) - lengths, lengths > 0
    highest = np.zeros_like(lengths)
    if filled.any():
        highest[filled] = np.maximum.reduceat(tokens, starts[filled])
    return np.unique([index[values[index].argmax()] for index in wanted for values in (lengths, highest)])


def _check_finite(losses: dict[str, Tensor], config: RunConfig, model: MultiTaskModel) -> None:
    for name, values in losses.items():
        if not torch.isfinite(values).all():
            loss = float(values.detach().sum())
            raise ModelError(
                f"task '{name}': found {loss} as its loss on the first rows by {_name(config, model)}, expected a "
                "finite number; the weights are damaged, or train.precision is too coarse for them."
            )


@contextmanager
def _as_it_was(model: MultiTaskModel, device: torch.device) -> Iterator[None]:
    """Put back what a step changes: mode, gradients, buffers, place, and the random states."""
    was_training, place = model.training, model.device
    buffers = {name: buffer.detach().clone() for name, buffer in model.named_buffers()}
    generators = [torch.random, *([torch.get_device_module(device)] if device.type != "cpu" else [])]
    states = random.getstate(), np.random.get_state(), [generator.get_rng_state() for generator in generators]
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        for generator, state in zip(generators, states[2], strict=True):
            generator.set_rng_state(state)
        model.zero_grad(set_to_none=True)
        model.train(was_training)
        if not is_quantized(model.backbone):
            model.to(place)
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    return value.to(device) if isinstance(value, Tensor) else value


def _explain(config: RunConfig, model: MultiTaskModel, doing: str, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [""])[0][:_LONGEST_REASON]
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate" in reason:
        hint = "There is too little memory: make max_length smaller, or choose a smaller model."
    else:
        used = {
            "lora": config.lora is not None,
            "quantization": config.quantization != "none",
            "train.gradient_checkpointing": config.train.gradient_checkpointing,
            "train.freeze_layers": config.train.freeze_layers > 0,
            "format: prompt": model.prompts is not None,
        }
        left = [name for name, is_used in used.items() if is_used]
        without = f", leave out {' or '.join(left)}" if left else ""
        hint = f"Choose another model, such as minilm or smollm2-135m{without}, or make max_length smaller."
    return (
        f"model: {_name(config, model)} cannot be used as the run file says; {doing} ended in "
        f"{type(error).__name__}: {reason}. {hint}"
    )


def _name(config: RunConfig, model: MultiTaskModel) -> str:
    name = config.model if len(config.model) <= _LONGEST_NAME else f"…{config.model[-_LONGEST_NAME:]}"
    return f"'{name}' ({model.backbone.config.model_type}, {type(model.backbone).__name__})"
