"""GradVac: gradients are turned towards the angles they usually have."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchjd.aggregation import GradVacWeighting

from .base import DEFAULT_CLIP
from .checks import checked_number, checked_whole
from .draws import drawn_by_step
from .torchjd_weighting import WeightingRule


class GradVac(WeightingRule):
    r"""Turn each gradient as close to the others as it usually is (GradVac; Wang et al., 2020, arXiv 2010.05874).

    For every task s, in random order of the others t: where the cosine φ of the changed gradient ĝ_s and g_t is
    below its target φ̂_st,

        ĝ_s ← ĝ_s + |ĝ_s| (φ̂ √(1 - φ²) - φ √(1 - φ̂²)) / (|g_t| √(1 - φ̂²)) · g_t,

    which makes it φ̂; then φ̂_st ← (1 - β) φ̂_st + β φ. The update is Σ_s ĝ_s (TorchJD's `GradVacWeighting`).

    Deviations from the paper: gradients are taken as a whole, not by layer, and the weights are scaled to sum to the
    number of tasks present. The order depends on the seed and the step alone. Targets are kept by pair of tasks, and
    change only in steps with both.

    Inputs: `features`, or what `where` asks for.

    Relations: with β = 0 the targets stay 0, and it is `PCGrad`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        beta: β, in [0, 1]; how fast targets follow.
        seed: seed of the order; in a run, its own seed by default.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import GradVac
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = GradVac(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * (h[:, 1] - h[:, 0])}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.55, 'polarity': 0.45}
    """

    random = True
    paper = "Wang et al., 2020, arXiv 2010.05874"
    weighting = GradVacWeighting

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        beta: float = 0.5,
        seed: int = 0,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._options = {"beta": checked_number("beta", beta, lambda value: 0 <= value <= 1, "in [0, 1]")}
        self._seed = checked_whole("seed", seed, 0)
        # φ̂, shape (T, T).
        self._kept = {"targets": torch.zeros(len(self.tasks), len(self.tasks), dtype=torch.float64)}

    def _ask(self, products: Tensor, rows: list[int]) -> Tensor:
        rule = GradVacWeighting(**self._options)
        pairs = (torch.tensor(rows)[:, None], torch.tensor(rows))
        rule._phi_t = self._kept["targets"][pairs]
        rule._state_key = (len(rows), products.dtype)
        with drawn_by_step(self._seed, int(self._memory.count)):
            weights = rule(products)
        self._kept["targets"][pairs] = rule._phi_t
        return weights
