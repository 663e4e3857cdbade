"""Nash-MTL: the update is the Nash solution of a bargaining game between the tasks."""

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module

import torch
from torch import Tensor

from equipoise.checks import checked_integer

from .base import DEFAULT_CLIP
from .torchjd_balancers import TorchJDWeighting


class NashMTL(TorchJDWeighting):
    r"""Give every task the progress it would bargain for (Navon et al., 2022, arXiv 2202.01017).

    The weights solve

        K w = 1 / w    (by component),

    K the inner products of the gradients; by a sequence of convex problems from the last step's solution (TorchJD's
    `NashMTL`, by cvxpy).

    Deviations from the paper: it is solved for unit gradients, C v = 1 / v with C their cosines, and w_t = v_t / |g_t|,
    which is the same; but the solver, which keeps its old solution where K times it is not positive, gets stuck less
    often. The weights are scaled to sum to the number of tasks present, so that the paper's bound on the norm of the
    update does not matter. Weights are kept by task, also while a task is absent.

    Inputs: `features`, or what `where` requires. Solving takes some 0.1 to 1 second on a CPU: see
    `update_weights_every`. Needs cvxpy and ecos: `pip install "equipoise[balancers]"`.

    Relations: `FairGrad` with α = 1 solves the same equation, by another algorithm.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        update_weights_every: new weights are computed in every n-th step; in between the last ones stay.
        optim_niter: the largest number of convex problems to solve for it.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        UsageError: If cvxpy or ecos is not installed.

    Example:
        >>> import torch
        >>> from equipoise.balancing import NashMTL
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = NashMTL(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    paper = "Navon et al., 2022, arXiv 2202.01017"
    packages = ("torchjd", "cvxpy", "ecos")
    weighting = "NashMTL"
    # Unit gradients have their own scale.
    scale_free = False

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        update_weights_every: int = 1,
        optim_niter: int = 20,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._every = checked_integer("update_weights_every", update_weights_every, 1)
        self._iterations = checked_integer("optim_niter", optim_niter, 1)
        self._state = {
            "weights": torch.zeros(len(self.tasks), dtype=torch.float64),
            "asked": torch.zeros((), dtype=torch.int64),
        }

    def _solve(self, products: Tensor, rows: list[int]) -> Tensor:
        norms = products.diagonal().sqrt()
        before = self._state["weights"][rows]
        # The solution for unit gradients, to start from; 1 where there is none.
        solution = torch.where(before > 0, before * norms, 1.0)
        # With a single task there is nothing to bargain about.
        if self._state["asked"] % self._every == 0 and len(rows) > 1:
            solution = self._bargain(products / torch.outer(norms, norms), solution)
        weights = solution / norms
        self._state["asked"] += 1
        self._state["weights"][rows] = weights
        return weights

    def _bargain(self, cosines: Tensor, start: Tensor) -> Tensor:
        """Solve C v = 1 / v, shape (P,), from a first guess; return the guess where the solver fails."""
        solver = (
            import_module("torchjd.aggregation")
            .NashMTL(len(start), max_norm=0.0, optim_niter=self._iterations)
            .weighting
        )
        values, vectors = torch.linalg.eigh(cosines)
        gradients = vectors * values.clamp_min(0).sqrt()
        with warnings.catch_warnings():
            # cvxpy cannot compile the problem once for all steps, and says so in each.
            warnings.simplefilter("ignore", UserWarning)
            # The solver starts from ones: v = start · u, with u the solution for gradients scaled by the start.
            solution = start * solver(start[:, None] * gradients)
        return solution if solution.isfinite().all() and (solution > 0).all() else start
