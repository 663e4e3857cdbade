"""TorchJD's scalarizers behind our contract: rules that use the losses alone."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from .base import DEFAULT_CLIP
from .torchjd_rule import TorchJDRule


class ScalarizerRule(TorchJDRule):
    """Base of the rules that make one scalar of the losses; the task weights are its derivative at the losses.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
    """

    def __init__(self, tasks: Mapping[str, str] | Sequence[str], *, clip: tuple[float, float] = DEFAULT_CLIP) -> None:
        super().__init__(tasks, clip=clip)


def derivative(scalarizer: Callable[[Tensor], Tensor], losses: Tensor) -> Tensor:
    """Differentiate a scalarizer by the losses, shape (P,)."""
    with torch.enable_grad():
        values = losses.clone().requires_grad_()
        (result,) = torch.autograd.grad(scalarizer(values), values)
    return result
