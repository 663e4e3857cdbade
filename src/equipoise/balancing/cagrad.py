"""CAGrad: conflict-averse gradient descent."""

from collections.abc import Mapping, Sequence

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP
from .torchjd_balancers import TorchJDWeighting

_CANCELLED = 1e-6


class CAGrad(TorchJDWeighting):
    r"""Help the worst-off task as much as possible near the mean gradient (Liu et al., 2021, arXiv 2110.14048).

    The update d maximizes min_t g_t·d under |d - ḡ| ≤ c |ḡ|, ḡ the mean gradient, which gives the weights

        1/P + c |ḡ| / |Gᵀv| · v,    v = argmin (Gᵀv)·ḡ + c |ḡ| |Gᵀv|    over v ≥ 0, Σ_t v_t = 1,

    G the P gradients (TorchJD's `CAGradWeighting`, by cvxpy).

    Deviations from the paper: the weights are scaled to sum to the number of tasks present. Where the gradients
    cancel, |Gᵀv| < 1e-6 of their common norm, the weights are equal, where TorchJD does not step. (Its threshold is
    1e-4, below which one small gradient beside a large one would count as cancelled, too.)

    Inputs: `features`, or what `where` requires. Needs cvxpy: `pip install "equipoise[balancers]"`.

    Relations: with c = 0 it is `EqualWeights`, with a large c it tends to `MGDA`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        c: how far from the mean gradient, at least 0; it converges to a minimum of the mean loss below 1. The
            paper's choice for its toy problem and our default is 0.5.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        UsageError: If cvxpy is not installed.

    Example:
        >>> import torch
        >>> from equipoise.balancing import CAGrad
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = CAGrad(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * (h[:, 1] - h[:, 0])}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.47, 'polarity': 0.53}
    """

    paper = "Liu et al., 2021, arXiv 2110.14048"
    packages = ("torchjd", "cvxpy", "clarabel")
    weighting = "CAGradWeighting"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        c: float = 0.5,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._options = {"c": checked_number("c", c, lambda value: value >= 0, "at least 0"), "norm_eps": _CANCELLED}
