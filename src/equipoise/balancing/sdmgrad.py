"""SDMGrad: MGDA for noisy gradients, kept near the mean gradient."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_integer, checked_number

from .base import DEFAULT_CLIP
from .gramian_balancer import GramianBalancer
from .simplex import project_onto_simplex, shares_within
from .task_gradients import Needs

_EPSILON = 1e-8


class SDMGrad(GramianBalancer):
    r"""Follow MGDA on noisy gradients, in the direction of their mean (Xiao, Ban and Ji, 2023, arXiv 2305.18409).

    In every step v takes `n_iter` steps of projected gradient descent with momentum, from where it was, on

        ½ |Gᵀ(v + λ/P)|²    over v ≥ 0, Σ_t v_t = 1,    by the unbiased gradient G₁G₂ᵀ (v + λ/P);

    the weights are v + λ/P. G₁ and G₂ are the task gradients of two independent batches, P the number of tasks.
    G₁G₂ᵀ is divided by the squared mean of the square roots of its diagonal, so that the step length suits gradients of
    any size.

    Deviations from the paper: G₁ and G₂ are of the two halves of each task's examples in the batch, and the update
    follows the mean over both instead of a third batch. The weights are scaled to sum to the number of tasks present.
    Tasks that are absent keep their share of v.

    Inputs: losses per example; `features`, or what `where` requires, but not "features".

    Relations: a stochastic form of `MGDA`, like `MoDo`; with a large λ it is `EqualWeights`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: length of the steps, positive.
        momentum: in [0, 1).
        n_iter: the number of steps.
        lambda_: λ, at least 0.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import SDMGrad
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = SDMGrad(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.77, 'polarity': 0.23}
    """

    needs: Needs = "halves"
    paper = "Xiao, Ban and Ji, 2023, arXiv 2305.18409"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        lr: float = 10.0,
        momentum: float = 0.5,
        n_iter: int = 20,
        lambda_: float = 0.3,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._lr = checked_number("lr", lr, lambda value: value > 0, "a positive number")
        self._momentum = checked_number("momentum", momentum, lambda value: 0 <= value < 1, "in [0, 1)")
        self._iterations = checked_integer("n_iter", n_iter, 1)
        self._lambda = checked_number("lambda_", lambda_, lambda value: value >= 0, "at least 0")
        count = len(self.tasks)
        self._state = {"v": torch.full((count,), 1 / count, dtype=torch.float64)}

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        total, shares = shares_within(self._state["v"], rows)
        pull = self._lambda / len(rows)
        scaled = products / (products.diagonal().clamp_min(0).sqrt().mean().square() + _EPSILON)
        velocity = torch.zeros_like(shares)
        for _ in range(self._iterations):
            velocity = self._momentum * velocity + scaled @ (shares + pull)
            shares = project_onto_simplex(shares - self._lr * velocity)
        self._state["v"][rows] = total * shares
        return shares + pull
