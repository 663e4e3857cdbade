"""SDMGrad: MGDA for noisy gradients, kept near the mean gradient."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchjd.aggregation import SDMGradWeighting

from .base import DEFAULT_CLIP
from .checks import checked_number, checked_whole
from .task_gradients import Needs
from .torchjd_rule import part_of_simplex
from .torchjd_weighting import WeightingRule


class SDMGrad(WeightingRule):
    r"""Follow MGDA on noisy gradients, in the direction of their mean (Xiao, Ban and Ji, 2023, arXiv 2305.18409).

    In every step v takes `n_iter` steps of projected gradient descent with momentum, from where it was, on

        ½ |Gᵀ(v + λ/P)|²    over v ≥ 0, Σ_t v_t = 1,    by the unbiased gradient G₁G₂ᵀ (v + λ/P);

    the weights are v + λ/P. G₁ and G₂ are the task gradients of two independent batches, P the number of tasks
    (TorchJD's `SDMGradWeighting`, which divides G₁G₂ᵀ by the squared mean size of its diagonal).

    Deviations from the paper: G₁ and G₂ are of the two halves of each task's examples in the batch, and the update
    follows the mean over both instead of a third batch. The weights are scaled to sum to the number of tasks present.
    Tasks that are absent keep their share of v.

    Inputs: losses per example; `features`, or what `where` asks for, but not "features".

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
        self._options = {
            "lr": checked_number("lr", lr, lambda value: value > 0, "a positive number"),
            "momentum": checked_number("momentum", momentum, lambda value: 0 <= value < 1, "in [0, 1)"),
            "n_iter": checked_whole("n_iter", n_iter, 1),
            "lambda_": checked_number("lambda_", lambda_, lambda value: value >= 0, "at least 0"),
        }
        count = len(self.tasks)
        self._kept = {"v": torch.full((count,), 1 / count, dtype=torch.float64)}

    def _ask(self, products: Tensor, rows: list[int]) -> Tensor:
        rule = SDMGradWeighting(**self._options)
        mass, rule._w = part_of_simplex(self._kept["v"], rows)
        rule._state_key = (len(rows), products.dtype, products.device)
        weights = rule(products)
        self._kept["v"][rows] = mass * rule._w
        return weights
