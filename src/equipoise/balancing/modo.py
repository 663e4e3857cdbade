"""MoDo: MGDA for gradients that are noisy."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP
from .gramian_balancer import GramianBalancer
from .simplex import project_onto_simplex, shares_within
from .task_gradients import Needs


class MoDo(GramianBalancer):
    r"""Descend towards MGDA's weights by one unbiased step at a time (Chen et al., 2023, arXiv 2305.20057).

        λ ← Π(λ - γ (G₁G₂ᵀ λ + ρ λ)),

    G₁ and G₂ the task gradients of two independent batches, Π the projection on λ ≥ 0, Σ_t λ_t = 1.
    λ starts from equal weights.

    Deviations from the paper: G₁ and G₂ are of the two halves of each task's examples in the batch, and the update
    follows the mean over both, as in TorchJD's form with two batches. λ is scaled to sum to the number of tasks
    present. Tasks that are absent keep their share of λ. γ = 0.1 is TorchJD's default; the authors' code has 1e-3.

    Inputs: losses per example; `features`, or what `where` requires, but not "features". λ moves with the squared
    size of the gradients, so that the unit of a loss matters.

    Relations: a stochastic form of `MGDA`, like `SDMGrad`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        gamma: γ, positive; the step length.
        rho: ρ, at least 0; pulls λ to equal weights.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import MoDo
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = MoDo(["score", "polarity"], gamma=0.01)
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.04, 'polarity': 0.96}
    """

    needs: Needs = "halves"
    paper = "Chen et al., 2023, arXiv 2305.20057"
    scale_free = False

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        gamma: float = 0.1,
        rho: float = 0.1,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._gamma = checked_number("gamma", gamma, lambda value: value > 0, "a positive number")
        self._rho = checked_number("rho", rho, lambda value: value >= 0, "at least 0")
        count = len(self.tasks)
        self._state = {"lambda": torch.full((count,), 1 / count, dtype=torch.float64)}

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        total, shares = shares_within(self._state["lambda"], rows)
        shares = project_onto_simplex(shares - self._gamma * (products @ shares + self._rho * shares))
        self._state["lambda"][rows] = total * shares
        return shares
