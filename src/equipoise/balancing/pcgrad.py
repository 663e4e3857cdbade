"""PCGrad: gradient surgery."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from equipoise.checks import checked_integer

from .base import DEFAULT_CLIP
from .seeding import seeded_by_step
from .torchjd_balancers import TorchJDWeighting


class PCGrad(TorchJDWeighting):
    r"""Project each task's gradient off those it conflicts with (Yu et al., 2020, arXiv 2001.06782).

    For every task s, in random order of the others t: where the changed gradient ĝ_s points against g_t,

        ĝ_s ← ĝ_s - (ĝ_s·g_t / |g_t|²) g_t.

    The update Σ_s ĝ_s is a sum of the g_t with weights of at least 1 (TorchJD's `PCGradWeighting`).

    Deviations from the paper: the weights are scaled to sum to the number of tasks present. The order depends on the
    seed and the step alone.

    Inputs: `features`, or what `where` requires.

    Relations: without conflicts, `EqualWeights`. `GradVac` aims at angles other than the right one.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        seed: seed of the order; in a run, its own seed by default.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import PCGrad
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = PCGrad(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * (h[:, 1] - h[:, 0])}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.55, 'polarity': 0.45}
    """

    random = True
    paper = "Yu et al., 2020, arXiv 2001.06782"
    weighting = "PCGradWeighting"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        seed: int = 0,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._seed = checked_integer("seed", seed, 0)

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        with seeded_by_step(self._seed, int(self._memory.count)):
            return super()._solve(products, rows)
