"""The base that experts were tuned from."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from equipoise.modeling import load_backbone


@dataclass(frozen=True)
class Base:
    """The base of all experts of a merge.

    Args:
        name: what `load_backbone` finds it by.
        backbone: the model, in float32; whoever changes it puts it back.
        tokenizer: its tokenizer.
    """

    name: str
    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, name: str, *, language_model: bool) -> "Base":
        """Load a base; see `load_backbone`.

        Raises:
            ModelError: it cannot be loaded.
        """
        return cls(name, *load_backbone(name, language_model=language_model))

    def part(self, *, language_model: bool) -> tuple[nn.Module, str]:
        """Return the model with its output layer or without it, and what its names lack of those of `tensors`."""
        inner = self.backbone.base_model
        if language_model or inner is self.backbone:
            return self.backbone, ""
        return inner, f"{self.backbone.base_model_prefix}."

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name; tied ones once."""
        return {name: parameter.detach() for name, parameter in self.backbone.named_parameters()}

    @property
    def linear(self) -> set[str]:
        """The names of the weights of linear layers; an output layer that is the embeddings, too, is none."""
        return {
            f"{name}.weight" for name, part in self.backbone.named_modules() if isinstance(part, nn.Linear)
        } & self.tensors.keys()

    @contextmanager
    def changed(self, vector: Mapping[str, Tensor]) -> Iterator[PreTrainedModel]:
        """Give the model with a task vector added for a while; then it is bit for bit what it was."""
        tensors = self.tensors
        before = {name: tensors[name].clone() for name in vector}
        try:
            with torch.no_grad():
                for name, change in vector.items():
                    tensors[name].add_(change.to(tensors[name].device))
            yield self.backbone
        finally:
            with torch.no_grad():
                for name, tensor in before.items():
                    tensors[name].copy_(tensor)
