"""What an expert's files hold, read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from equipoise.errors import ModelError

from .accounting import Fate
from .low_rank import Factors
from .tensor_files import FileTensor, shortened


@dataclass(frozen=True)
class Head:
    """What a checkpoint holds beside its backbone: a classifier, a pooler.

    Args:
        architecture: the class of transformers it was saved from.
        config: its configuration.
        pooler: tensors of the model without its head, by their names there.
        head: tensors of the head, by their names in the whole model.
    """

    architecture: str
    config: PreTrainedConfig
    pooler: dict[str, Tensor]
    head: dict[str, Tensor]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All of them."""
        return self.pooler | self.head


@dataclass(frozen=True)
class Vector:
    """What an expert learnt.

    Args:
        tensors: θ_expert − θ_base by tensor, float32; tensors it did not change are left out.
        factors: of a LoRA adapter, the same as products of two (see `factors_of`); None of anything else.
        places: for each tensor of its files the tensor of the base that it changes, or of the head that it is.
        aside: tensors of its files that are no part of what it learnt, and what they are.
        head: what it has beside the backbone, where that is something.
        outer: of an adapter, what stands before the names of the backbone in its own names, such as "bert.".
    """

    tensors: dict[str, Tensor]
    factors: dict[str, Factors] | None
    places: dict[FileTensor, str] = field(default_factory=dict)
    aside: dict[FileTensor, Fate] = field(default_factory=dict)
    head: Head | None = None
    outer: str = ""


def check_numbers(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that hold infinities or NaN.

    Args:
        folder: the expert's folder.
        tensors: its tensors by name.

    Raises:
        ModelError: some do.
    """
    # A sum is finite where all are, and costs no second tensor; it may overflow where all are, too, so look then.
    wrong = [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not tensor.sum().isfinite() and not torch.isfinite(tensor).all()
    ]
    if wrong:
        raise ModelError(
            f"{folder}: {len(wrong)} tensors hold infinities or NaN ({shortened(wrong)}), expected numbers; its "
            "training diverged or the file is damaged: leave the expert out, or train it again."
        )
