"""DB-MTL: dual balancing, of losses by their logarithm and of gradients by their norm."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP, Balancer
from .task_gradients import Needs

_SMALLEST = 1e-8


class DualBalancing(Balancer):
    r"""Bring the gradients of the log-losses, averaged over steps, to one norm (DB-MTL; Lin et al., 2023).

    In its k-th step a task has the average gradient

        ĝ_t ← β_k ĝ_t + (1 − β_k) ∂log L_t,    β_k = β / k^d,    w_t = max_s |ĝ_s| / (|ĝ_t| L_t),

    divided by 1 − Π_k β_k, the share that gradients have in it, since it starts from 0. ∂log L_t is g_t / L_t, so that
    w_t is the factor by which the gradient of log L_t would be scaled, on the loss itself.

    Source: arXiv 2308.12029.

    Deviations from the paper: it steps along Σ_t (max_s |ĝ_s| / |ĝ_t|) ĝ_t, the averages themselves; weights on losses
    can follow their norms only, and the step is along the current gradients. The weights sum to the number of tasks
    present, by which the largest norm cancels; they act on the heads too, which in the paper learn from log L_t.
    The division by 1 − Π_k β_k, without which a task that comes later would count too much, changes nothing where all
    tasks are in every batch. A task that is absent or has no gradient keeps its average. A loss counts as at least
    1e-8; a task with an almost perfect batch has a huge ∂log L_t, and little weight until it is forgotten.

    Inputs: losses and `features`. It remembers ĝ: T × n numbers, n = d (d + 1) at the map for features of width d.

    Relations: with β = 0 it is λ_t ∝ 1 / |g_t|, `DynamicAdaptiveLoss` without floor and example weights.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        beta: β, in [0, 1): how long gradients are remembered.
        decay: d, 0 or more: how fast β_k falls; 0 keeps it at β, as in the authors' library (LibMTL).
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map" or "parameters".

    Raises:
        ValueError: If an option is outside its range.

    Example:
        >>> import torch
        >>> from equipoise.balancing import DualBalancing
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = DualBalancing(["score", "polarity"])
        >>> loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        >>> {task: round(weight, 6) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    needs: Needs = "gradients"
    rescaling = "compensates"
    paper = "Lin et al., 2023, arXiv 2308.12029"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        beta: float = 0.9,
        decay: float = 0.0,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._beta = checked_number("beta", beta, lambda value: 0 <= value < 1, "in [0, 1)")
        self._decay = checked_number("decay", decay, lambda value: value >= 0, "0 or more")
        self._average: Tensor | None = None
        """ĝ before the division, shape (T, n), where the gradients are."""
        self._seen = torch.zeros(len(self.tasks), 2, dtype=torch.float64)
        """Per task k, and 1 − Π_k β_k."""

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return 1 / (|ĝ_t| L_t), this step's gradients included."""
        assert gradients is not None
        rows = self._indices(tasks)
        losses = losses.clamp_min(_SMALLEST)
        count, share = self._seen[rows].unbind(1)
        count = count + 1
        beta = self._beta / count**self._decay
        share = beta * share + (1 - beta)
        self._seen = self._seen.clone()
        self._seen[rows] = torch.stack([count, share], dim=1)

        old_share, new_share = beta.to(gradients)[:, None], ((1 - beta) / losses).to(gradients)[:, None]
        before = gradients.new_zeros(len(self.tasks), gradients.shape[1]) if self._average is None else self._average
        before = before.to(gradients)
        average = before[rows].mul_(old_share).addcmul_(new_share, gradients)
        self._average = before.index_copy(0, torch.tensor(rows, device=gradients.device), average)
        norms = torch.linalg.vector_norm(average, dim=1, dtype=torch.float64).cpu() / share
        return 1 / (norms * losses).clamp_min(torch.finfo(torch.float64).tiny)

    def _get_state(self) -> dict[str, Tensor]:
        average = {} if self._average is None else {"average": self._average}
        return super()._get_state() | {"seen": self._seen} | average

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._seen = state["seen"]
        self._average = state.get("average")
