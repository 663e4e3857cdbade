"""MoDo: MGDA for gradients that are noisy."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchjd.aggregation import MoDoWeighting

from .base import DEFAULT_CLIP
from .checks import checked_number
from .task_gradients import Needs
from .torchjd_rule import part_of_simplex
from .torchjd_weighting import WeightingRule


class MoDo(WeightingRule):
    r"""Descend towards MGDA's weights by one unbiased step at a time (Chen et al., 2023, arXiv 2305.20057).

        λ ← Π(λ - γ (G₁G₂ᵀ λ + ρ λ)),

    G₁ and G₂ the task gradients of two independent batches, Π the projection on λ ≥ 0, Σ_t λ_t = 1 (TorchJD's
    `MoDoWeighting`, from equal weights on).

    Deviations from the paper: G₁ and G₂ are of the two halves of each task's examples in the batch, and the update
    follows the mean over both, as in TorchJD's form with two batches. λ is scaled to sum to the number of tasks
    present. Tasks that are absent keep their share of λ. γ = 0.1 is TorchJD's default; the authors' code has 1e-3.

    Inputs: losses per example; `features`, or what `where` asks for, but not "features". λ moves with the squared
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
        self._options = {
            "gamma": checked_number("gamma", gamma, lambda value: value > 0, "a positive number"),
            "rho": checked_number("rho", rho, lambda value: value >= 0, "at least 0"),
        }
        count = len(self.tasks)
        self._kept = {"lambda": torch.full((count,), 1 / count, dtype=torch.float64)}

    def _ask(self, products: Tensor, rows: list[int]) -> Tensor:
        rule = MoDoWeighting(**self._options)
        mass, rule._lambda = part_of_simplex(self._kept["lambda"], rows)
        rule._state_key = (len(rows), products.dtype, products.device)
        weights = rule(products)
        self._kept["lambda"][rows] = mass * weights
        return weights
