"""Balancers that use the inner products of the task gradients."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from .base import Balancer
from .task_gradients import Needs


class GramianBalancer(Balancer):
    """Base of the balancers that compute weights from the inner products of the task gradients.

    The products are in float64. The tasks are sorted by name, so that neither random draws nor a solver's tolerance
    depend on the order in which they are listed.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".
    """

    needs: Needs = "gramian"
    scale_free: ClassVar[bool] = True
    """Whether scaled gradients give the same weights. Then they are scaled, so that small constants stay small."""

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the weights that the products give; see `Balancer.compute_weights`."""
        assert gradients is not None
        order = torch.tensor(sorted(range(len(tasks)), key=tasks.__getitem__))
        products = gradients[order][:, order]
        largest = products.abs().max()
        if self.scale_free and largest > 0:
            products = products / largest
        return self._solve(products, self._indices(sorted(tasks)))[order.argsort()]

    @abstractmethod
    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        """Compute the weights of P tasks, shape (P,).

        Args:
            products: the inner products of their gradients, shape (P, P).
            rows: their indices.
        """
