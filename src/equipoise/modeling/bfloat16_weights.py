"""A backbone whose weights are numbers of bfloat16, held as such for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import PreTrainedModel

from .model import MultiTaskModel


def bfloat16_parameters(backbone: PreTrainedModel) -> list[nn.Parameter]:
    """Return what of a backbone is held in bfloat16: its matrices; vectors, as of norms, take hardly any memory."""
    return [parameter for parameter in backbone.parameters() if parameter.ndim >= 2]


def round_weights(backbone: PreTrainedModel) -> None:
    """Round a backbone's matrices to numbers of bfloat16, in place; they stay in float32.

    From then on nothing is lost where they go over to bfloat16 and back.
    """
    with torch.no_grad():
        for parameter in bfloat16_parameters(backbone):
            parameter.copy_(parameter.bfloat16())


@contextmanager
def held_in_bfloat16(model: MultiTaskModel) -> Iterator[None]:
    """Hold the matrices of a model's backbone in bfloat16 for a while, and let it compute so; heads stay as they are.

    The parameters remain the same objects, so an optimizer keeps them.
    """
    with _held_in(model, torch.bfloat16):
        yield


@contextmanager
def held_in_float32(model: MultiTaskModel) -> Iterator[None]:
    """Hold them in float32 again for a while, to the last bit the same: to score what is being trained."""
    with _held_in(model, torch.float32):
        yield


@contextmanager
def _held_in(model: MultiTaskModel, dtype: torch.dtype) -> Iterator[None]:
    before, parameters = model.dtype, bfloat16_parameters(model.backbone)
    _hold(model, parameters, dtype)
    try:
        yield
    finally:
        _hold(model, parameters, before)


def _hold(model: MultiTaskModel, parameters: list[nn.Parameter], dtype: torch.dtype) -> None:
    model.dtype = dtype
    for parameter in parameters:
        # One after the other: never is the whole model there twice.
        parameter.grad = None
        parameter.data = parameter.data.to(dtype)
