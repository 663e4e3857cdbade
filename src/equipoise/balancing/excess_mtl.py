"""ExcessMTL: tasks that are far from what they can reach weigh more."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_integer, checked_number

from .base import DEFAULT_CLIP, Balancer
from .simplex import shares_within
from .task_gradients import Needs

_EPSILON = 1e-7


class ExcessMTL(Balancer):
    r"""Weigh each task by its excess risk, how far it is from its best (He et al., 2024, arXiv 2402.02009).

        e_t = Σ_j g_tj² / √(Σ_τ g_tj(τ)² + ε),    w_t ← w_t exp(η e_t / (e_t(0) + ε)),    Σ_t w_t = 1,    ε = 1e-7

    g_tj is coordinate j of the gradient of task t, Σ_τ the sum over all steps so far, e_t(0) the task's first e_t,
    which itself is not divided, or the mean of the warm-up's. During the warm-up the weights are equal. A task without
    e_t(0), as it was absent before, gets it when it comes, and absent tasks keep their share of w.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present.

    Inputs: `features`, or what `where` requires, but not "features". The sums Σ_τ have the shape of the gradients, T
    times those of the map or of all shared parameters, and are part of the state.

    Relations: none. With all tasks in every step the weights are those of TorchJD's `ExcessMTLWeighting`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        robust_step_size: η, positive.
        n_warmup_steps: the length of the warm-up; the paper suggests three epochs.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map" or "parameters".

    Example:
        >>> import torch
        >>> from equipoise.balancing import ExcessMTL
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = ExcessMTL(["score", "polarity"], robust_step_size=0.1)
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.8, 'polarity': 1.2}
    """

    needs: Needs = "gradients"
    paper = "He et al., 2024, arXiv 2402.02009"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        robust_step_size: float = 1.0,
        n_warmup_steps: int = 0,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._eta = checked_number("robust_step_size", robust_step_size, lambda value: value > 0, "a positive number")
        self._warmup = checked_integer("n_warmup_steps", n_warmup_steps, 0)
        count = len(self.tasks)
        self._state = {
            "asked": torch.zeros((), dtype=torch.int64),
            "weights": torch.full((count,), 1 / count, dtype=torch.float64),
            # By task: the sums of squared gradients, shape (T, n); e(0), NaN before there is one; the sum of the
            # warm-up's e, and of how many steps.
            "squares": torch.zeros(count, 0),
            "first": torch.full((count,), torch.nan, dtype=torch.float64),
            "warmup": torch.zeros(2, count, dtype=torch.float64),
        }

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the new w."""
        assert gradients is not None
        rows = self._indices(tasks)
        risks = self._excess_risks(gradients, rows)
        total, shares = shares_within(self._state["weights"], rows)
        warming = bool(self._state["asked"] < self._warmup)
        self._state["asked"] += 1
        if warming:
            self._state["warmup"][:, rows] += torch.stack([risks, torch.ones_like(risks)])
            return shares
        # A softmax of logarithms: a huge risk takes all the weight instead of overflowing.
        shares = torch.softmax(shares.log() + self._eta * self._relative(risks, rows), dim=0)
        self._state["weights"][rows] = total * shares
        return shares

    def _excess_risks(self, gradients: Tensor, rows: list[int]) -> Tensor:
        """Add the squared gradients, shape (P, n), to Σ_τ, and return e_t, float64 on the CPU, shape (P,)."""
        sums = self._state["squares"]
        if sums.shape[1] != gradients.shape[1]:
            sums = gradients.new_zeros(len(self.tasks), gradients.shape[1])
        sums = self._state["squares"] = sums.to(gradients)
        squares = gradients.square()
        sums[rows] += squares
        return (squares / (sums[rows] + _EPSILON).sqrt()).sum(dim=1).double().cpu()

    def _relative(self, risks: Tensor, rows: list[int]) -> Tensor:
        """Divide each e_t, shape (P,), by e_t(0), or keep it where it becomes e_t(0)."""
        first = self._state["first"]
        sums, steps = self._state["warmup"]
        first.copy_(torch.where(first.isnan() & (steps > 0), sums / steps, first))
        known = first[rows]
        first[rows] = known.where(~known.isnan(), risks)
        return torch.where(known.isnan(), risks, risks / (known + _EPSILON))
