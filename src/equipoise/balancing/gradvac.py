"""GradVac: gradients are turned towards the angles they usually have."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_integer, checked_number

from .base import DEFAULT_CLIP
from .gramian_balancer import GramianBalancer
from .seeding import seeded_by_step

_EPSILON = 1e-8


class GradVac(GramianBalancer):
    r"""Turn each gradient as close to the others as it usually is (GradVac; Wang et al., 2020, arXiv 2010.05874).

    For every task s, in random order of the others t: where the cosine φ of the changed gradient ĝ_s and g_t is
    below its target φ̂_st,

        ĝ_s ← ĝ_s + |ĝ_s| (φ̂ √(1 - φ²) - φ √(1 - φ̂²)) / (|g_t| √(1 - φ̂²)) · g_t,

    which makes it φ̂; then φ̂_st ← (1 - β) φ̂_st + β φ. The update is Σ_s ĝ_s.

    Deviations from the paper: gradients are taken as a whole, not by layer, and the weights are scaled to sum to the
    number of tasks present. The order depends on the seed and the step alone. Each pair of tasks has its target, which
    changes only in steps with both. Denominators have 1e-8 added.

    Inputs: `features`, or what `where` requires.

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
        self._beta = checked_number("beta", beta, lambda value: 0 <= value <= 1, "in [0, 1]")
        self._seed = checked_integer("seed", seed, 0)
        # φ̂, shape (T, T).
        self._state = {"targets": torch.zeros(len(self.tasks), len(self.tasks), dtype=torch.float64)}

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        pairs = (torch.tensor(rows)[:, None], torch.tensor(rows))
        targets = self._state["targets"][pairs]
        norms = products.diagonal().sqrt()
        # ĝ_s is a mix of the gradients: row s holds their coefficients.
        mixes = torch.eye(len(rows), dtype=products.dtype)
        with seeded_by_step(self._seed, int(self._memory.count)):
            for s, mix in enumerate(mixes):
                others = [t for t in range(len(rows)) if t != s]
                for t in (others[place] for place in torch.randperm(len(others)).tolist()):
                    overlaps = products @ mix
                    norm = (mix @ overlaps).clamp_min(0).sqrt()
                    cosine, target = overlaps[t] / (norm * norms[t] + _EPSILON), targets[s, t].clone()
                    if cosine < target:
                        mix[t] += norm * _turn(cosine, target, norms[t])
                    targets[s, t] = (1 - self._beta) * target + self._beta * cosine
        self._state["targets"][pairs] = targets
        return mixes.sum(dim=0)


def _turn(cosine: Tensor, target: Tensor, norm: Tensor) -> Tensor:
    """Return how much of a gradient to add, per unit of the turned one's norm, so that their cosine is the target."""
    sine, target_sine = ((1 - value.square()).clamp_min(0).sqrt() for value in (cosine, target))
    return (target * sine - cosine * target_sine) / (norm * target_sine + _EPSILON)
