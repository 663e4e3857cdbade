"""MGDA: the shortest vector between the task gradients."""

from collections.abc import Mapping, Sequence

from equipoise.checks import checked_integer, checked_number

from .base import DEFAULT_CLIP
from .torchjd_balancers import TorchJDWeighting


class MGDA(TorchJDWeighting):
    r"""Follow the shortest convex combination of the task gradients (Sener and Koltun, 2018, arXiv 1810.04650).

        w = argmin αᵀKα    over α ≥ 0, Σ_t α_t = 1,

    K the inner products of the gradients; by the Frank-Wolfe algorithm (TorchJD's `MGDAWeighting`).

    Deviations from the paper: the weights are scaled to sum to the number of tasks present, and the gradients are
    not normalized before.

    Inputs: `features`, or what `where` requires.

    Relations: favours the tasks with small gradients; for two tasks with gradients of equal norm, `EqualWeights`.
    `MoDo` and `SDMGrad` are its stochastic forms. `FairGrad` tends to it with large α.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        epsilon: the algorithm ends when its step is shorter, positive.
        max_iters: the largest number of its steps.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import MGDA
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = MGDA(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.8, 'polarity': 0.2}
    """

    paper = "Sener and Koltun, 2018, arXiv 1810.04650"
    weighting = "MGDAWeighting"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        epsilon: float = 0.001,
        max_iters: int = 100,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._options = {
            "epsilon": checked_number("epsilon", epsilon, lambda value: value > 0, "a positive number"),
            "max_iters": checked_integer("max_iters", max_iters, 1),
        }
