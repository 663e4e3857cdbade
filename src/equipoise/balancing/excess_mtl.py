"""ExcessMTL: tasks that are far from what they can reach weigh more."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchjd.aggregation import ExcessMTL as _TorchJDExcessMTL

from .base import DEFAULT_CLIP
from .checks import checked_number, checked_whole
from .task_gradients import Needs
from .torchjd_rule import TorchJDRule, part_of_simplex


class ExcessMTL(TorchJDRule):
    r"""Weigh each task by its excess risk, how far it is from its best (He et al., 2024, arXiv 2402.02009).

        e_t = Σ_j g_tj² / √(Σ_τ g_tj(τ)² + 1e-7),    w_t ← w_t exp(η e_t / e_t(0)),    Σ_t w_t = 1

    g_tj is coordinate j of the gradient of task t, Σ_τ the sum over all steps so far, e_t(0) the task's first e_t,
    which itself is not divided, or the mean of the warm-up's (TorchJD's `ExcessMTL`). During the warm-up the weights
    are equal. A task without e_t(0), as it was absent before, gets it when it comes, and absent tasks keep their
    share of w.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present.

    Inputs: `features`, or what `where` asks for, but not "features". The sums Σ_τ have the shape of the gradients, T
    times those of the map or of all shared parameters, and are part of the state.

    Relations: none.

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
        self._warmup = checked_whole("n_warmup_steps", n_warmup_steps, 0)
        count = len(self.tasks)
        self._kept = {
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
        kept = self._kept
        if kept["squares"].shape[1] != gradients.shape[1]:
            kept["squares"] = gradients.new_zeros(len(self.tasks), gradients.shape[1])
        kept["squares"] = kept["squares"].to(gradients)

        warming = bool(kept["asked"] < self._warmup)
        rule = _TorchJDExcessMTL(self._eta, n_warmup_steps=int(warming)).weighting
        rule._state_key = (*gradients.shape, gradients.dtype, gradients.device)
        rule._sq_grad_sum = kept["squares"][rows]
        mass, part = part_of_simplex(kept["weights"], rows)
        rule._weights = part.to(gradients)
        rule._warmup_w_sum = gradients.new_zeros(len(rows))
        if not warming:
            rule._initial_w = self._first(gradients, rows).to(gradients)
        weights = rule(gradients).double().cpu()

        kept["squares"][rows] = rule._sq_grad_sum
        kept["asked"] += 1
        kept["weights"][rows] = mass * weights
        if warming:
            kept["warmup"][:, rows] += torch.stack([rule._warmup_w_sum.double().cpu(), torch.ones_like(weights)])
        return weights

    def _first(self, gradients: Tensor, rows: list[int]) -> Tensor:
        """Return what to divide the excess risks by: e(0), or 1 for a task whose e(0) is its present one."""
        first = self._kept["first"]
        sums, steps = self._kept["warmup"]
        first.copy_(torch.where(first.isnan() & (steps > 0), sums / steps, first))
        known = first[rows].where(~first[rows].isnan(), 1.0)
        new = [place for place, row in enumerate(rows) if first[row].isnan()]
        if new:
            alone = _TorchJDExcessMTL(self._eta).weighting
            alone(gradients[new])
            first[[rows[place] for place in new]] = alone._initial_w.double().cpu()
        return known
