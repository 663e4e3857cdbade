"""What training changes of a model, and a checkpoint's file of it."""

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from equipoise.errors import first_line
from equipoise.modeling import MultiTaskModel

from .checkpoints import damaged
from .sharding import read_whole

_WEIGHTS = "model.safetensors"


def find_trained(model: MultiTaskModel) -> dict[str, Tensor]:
    """Return what training changes: all but the frozen parameters, by name; of a sharded model its shards."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    # A parameter that has two names, as tied embeddings, is kept by its first.
    names = dict(model.named_parameters()) | dict(model.named_buffers())
    return {name: tensor for name, tensor in model.state_dict().items() if name in names and name not in frozen}


def trained_weights(model: MultiTaskModel) -> dict[str, Tensor]:
    """Return the same in whole tensors.

    Of a sharded model they are whole in the first process, and of no use in the others, which have to come here, too.
    """
    return {name: read_whole(tensor) for name, tensor in find_trained(model).items()}


def save_weights(model: MultiTaskModel, checkpoint: Path, *, writes: bool) -> None:
    """Save what training changes into a checkpoint; all processes have to come here.

    Args:
        model: the model.
        checkpoint: the checkpoint's folder.
        writes: whether this process is the one that writes.
    """
    weights = trained_weights(model)
    if writes:
        checkpoint.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(weights, str(checkpoint / _WEIGHTS))


def load_weights(model: MultiTaskModel, checkpoint: Path) -> None:
    """Put a checkpoint's weights into a model, whose frozen parameters stay.

    Raises:
        TrainingError: the checkpoint is damaged.
    """
    try:
        # Heads were called task modules before.
        loaded = safetensors.torch.load_file(checkpoint / _WEIGHTS)
        weights = {name.replace("_task_modules.", "_heads.", 1): tensor for name, tensor in loaded.items()}
        expected = find_trained(model)
        if different := sorted(weights.keys() ^ expected.keys()):
            raise RuntimeError(f"found {len(weights)} tensors, expected {len(expected)} ('{different[0]}', …)")
        model.load_state_dict(weights, strict=False)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise damaged(checkpoint / _WEIGHTS, first_line(error)) from error
