"""TorchJD's weightings behind our contract: rules that use inner products of the task gradients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from .base import DEFAULT_CLIP
from .task_gradients import Needs
from .torchjd_rule import TorchJDRule


class WeightingRule(TorchJDRule):
    """Base of the rules that make weights of inner products of the task gradients.

    The products are in float64. The tasks are put in the order of their names, so that neither random draws nor a
    solver's tolerance depend on the order in which they are listed.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".
    """

    needs: Needs = "gramian"
    weighting: ClassVar[Callable[..., Any]]
    """The class in TorchJD."""
    scale_free: ClassVar[bool] = True
    """Whether scaled gradients give the same weights. Then they are scaled, so that small constants stay small."""

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._options: dict[str, Any] = {}
        """Keyword arguments of `weighting`."""

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return TorchJD's weights."""
        assert gradients is not None
        order = torch.tensor(sorted(range(len(tasks)), key=tasks.__getitem__))
        products = gradients[order][:, order]
        largest = products.abs().max()
        if self.scale_free and largest > 0:
            products = products / largest
        return self._ask(products, self._indices(sorted(tasks)))[order.argsort()]

    def _ask(self, products: Tensor, rows: list[int]) -> Tensor:
        """Ask TorchJD for the weights of some tasks.

        Args:
            products: the inner products of their gradients, shape (P, P).
            rows: which of all tasks they are.
        """
        return type(self).weighting(**self._options)(products)
