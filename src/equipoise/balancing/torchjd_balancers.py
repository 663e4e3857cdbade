"""TorchJD's scalarizers and weightings behind the contract of `Balancer`, through its public interface alone.

TorchJD's objects are made for every step, from options and the tasks present; those with a state of their own have
no public way to save and load it, so these balancers are implemented here.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from .base import DEFAULT_CLIP, Balancer
from .gramian_balancer import GramianBalancer


class TorchJDScalarizer(Balancer):
    """Base of the balancers whose weights are the derivative of one of TorchJD's scalarizers at the losses.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.

    Raises:
        UsageError: If TorchJD is not installed.
    """

    scalarizer: ClassVar[str]
    """The name of the class in `torchjd.scalarization`."""

    packages: tuple[str, ...] = ("torchjd",)

    def __init__(self, tasks: Mapping[str, str] | Sequence[str], *, clip: tuple[float, float] = DEFAULT_CLIP) -> None:
        super().__init__(tasks, clip=clip)

    def _make_scalarizer(self, *options: Any) -> Any:
        return getattr(import_module("torchjd.scalarization"), self.scalarizer)(*options)


class TorchJDWeighting(GramianBalancer):
    """Base of the balancers whose weights one of TorchJD's weightings computes.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        UsageError: If TorchJD or a package that the weighting needs is not installed.
    """

    weighting: ClassVar[str]
    """The name of the class in `torchjd.aggregation`."""
    packages: tuple[str, ...] = ("torchjd",)
    _options: Mapping[str, Any] = MappingProxyType({})
    """Keyword arguments of `weighting`."""

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        weighting = getattr(import_module("torchjd.aggregation"), self.weighting)
        return weighting(**self._options)(products)


def derivative(scalarizer: Callable[[Tensor], Tensor], losses: Tensor) -> Tensor:
    """Differentiate a scalarizer by the losses, shape (P,)."""
    with torch.enable_grad():
        values = losses.clone().requires_grad_()
        (result,) = torch.autograd.grad(scalarizer(values), values)
    return result
