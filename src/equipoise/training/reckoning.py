"""What training needs in memory, reckoned from a model's parameters."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

_STATES = 3
"""As large as a trained weight: its gradient, and AdamW's two moments."""


@dataclass(frozen=True)
class TrainingMemory:
    """The bytes that a model's weights, their gradients and AdamW's states take; activations come on top.

    Args:
        weights: of all weights.
        states: of the gradients and states of the trained ones.
        whole: of both what no sharding shares out.
    """

    weights: int
    states: int
    whole: int = 0

    def on_each(self, devices: int = 1) -> int:
        """Return the bytes on each device.

        Args:
            devices: how many share the model out (FSDP).
        """
        shared = self.weights + self.states - self.whole
        return self.whole - (-shared // devices)


def training_memory(model: nn.Module, whole: Iterable[nn.Parameter] = ()) -> TrainingMemory:
    """Reckon what training a model needs; its weights may be on the device `meta`, where they take no memory.

    A trained weight in float32 takes 16 bytes: itself, its gradient, and the two moments of AdamW. A frozen one, as
    under LoRA, takes those of its type.

    Args:
        model: the model.
        whole: parameters that each process holds whole where the others are sharded.

    Example:
        >>> import torch
        >>> from transformers import LlamaConfig, LlamaModel
        >>> with torch.device("meta"):
        ...     model = LlamaModel(LlamaConfig())
        >>> needed = training_memory(model)
        >>> f"{needed.on_each() / 1e9:.1f} GB on one GPU, {needed.on_each(8) / 1e9:.1f} GB on each of eight"
        '105.7 GB on one GPU, 13.2 GB on each of eight'
    """
    weights, states = _count(model.parameters())
    return TrainingMemory(weights, states, sum(_count(set(whole))))


def _count(parameters: Iterable[nn.Parameter]) -> tuple[int, int]:
    weights = states = 0
    for parameter in parameters:
        size = parameter.numel() * parameter.element_size()
        weights += size
        states += _STATES * size if parameter.requires_grad else 0
    return weights, states
