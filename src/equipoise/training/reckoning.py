"""What training needs in memory, reckoned from a model's parameters."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import torch
from torch import nn

_MOMENTS = 2
"""What AdamW keeps of a trained weight."""


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


def training_memory(
    model: nn.Module, whole: Iterable[nn.Parameter] = (), in_bfloat16: Iterable[nn.Parameter] = ()
) -> TrainingMemory:
    """Reckon what training a model needs; its weights may be on the device `meta`, where they take no memory.

    A trained weight in float32 takes 16 bytes: itself, its gradient, and the two moments of AdamW. A frozen one, as
    under LoRA, takes those of its type. With `train.precision: pure_bf16`, a weight and its gradient take two bytes
    each, the moments four.

    Args:
        model: the model.
        whole: parameters that each process holds whole where the others are sharded.
        in_bfloat16: parameters that are in bfloat16 while training, with moments in float32, whatever they are in now.

    Example:
        >>> import torch
        >>> from transformers import LlamaConfig, LlamaModel
        >>> with torch.device("meta"):
        ...     model = LlamaModel(LlamaConfig())
        >>> needed = training_memory(model)
        >>> f"{needed.on_each() / 1e9:.1f} GB on one GPU, {needed.on_each(8) / 1e9:.1f} GB on each of eight"
        '105.7 GB on one GPU, 13.2 GB on each of eight'
    """
    rounded = set(in_bfloat16)
    weights, states = _count(model.parameters(), rounded)
    return TrainingMemory(weights, states, sum(_count(set(whole), rounded)))


def _count(parameters: Iterable[nn.Parameter], rounded: Collection[nn.Parameter]) -> tuple[int, int]:
    weights = states = 0
    for parameter in parameters:
        is_rounded = parameter in rounded
        size = torch.bfloat16.itemsize if is_rounded else parameter.element_size()
        moment = torch.float32.itemsize if is_rounded else size
        weights += parameter.numel() * size
        # Its gradient has the type of the weight.
        states += parameter.numel() * (size + _MOMENTS * moment) if parameter.requires_grad else 0
    return weights, states
