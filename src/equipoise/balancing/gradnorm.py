"""GradNorm: weights learned so that all tasks train at similar rates."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP, Balancer
from .initial_losses import InitialLosses
from .learned_scalars import LearnedScalars
from .task_gradients import Needs

_SMALLEST = 1e-4


class GradNorm(Balancer):
    r"""Learn weights that bring the gradient norms to common ground (GradNorm; Chen et al., 2018, arXiv 1711.02257).

    After every step the weights w_t take one step of Adam on

        Σ_t | w_t |g_t| − Ḡ r_t^α |,    r_t = (L_t / L_t(0)) / mean_s (L_s / L_s(0)),

    with the target Ḡ r_t^α held fixed, and are scaled to Σ_t w_t = T again.

    - g_t is the gradient of L_t, Ḡ the mean of w_t |g_t| over the tasks;
    - r_t is the relative inverse training rate: above 1 for a task that has learned less than the others, which
      gets the larger gradient;
    - T is the number of tasks.

    Deviations from the paper: L_t(0) is the mean of a task's first ten losses, not the very first one, which a small
    batch makes noisy; it is measured without any warm-up, so a task that starts from a lucky initialization counts
    as slow for ever. A weight is kept above 1e-4 (a step of Adam may lead below 0, which means nothing). Means and
    sums are over the tasks present that have a gradient; the others keep w_t and what Adam remembers of them.
    Gradients are taken at the virtual map, not at the last shared layer.

    Inputs: losses and `features`. Call `after_step` after every `optimizer.step()`: w_t is learned there, under
    gradient accumulation from the gradients of the step before.

    Relations: with α = 0 and settled gradients the weights tend to those of `DynamicAdaptiveLoss`, λ_t ∝ 1 / |g_t|.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        alpha: α, 0 or more: how strongly tasks are pulled to one training rate.
        lr: learning rate of the w_t.
        clip: the smallest and the largest weight.
        where: where gradients are taken: "map", "features" or "parameters".

    Raises:
        ValueError: If an option is outside its range.

    Example:
        >>> import torch
        >>> from equipoise.balancing import GradNorm
        >>> h = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> balance = GradNorm(["score", "polarity"])
        >>> for _ in range(100):
        ...     loss = balance({"score": h[:, 0], "polarity": 3.0 * h[:, 1]}, features=h)
        ...     balance.after_step()
        >>> {task: round(weight, 1) for task, weight in balance.weights.items()}
        {'score': 1.5, 'polarity': 0.5}
    """

    needs: Needs = "gramian"
    paper = "Chen, Badrinarayanan, Lee and Rabinovich, 2018, arXiv 1711.02257"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        alpha: float = 1.5,
        lr: float = 0.025,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._alpha = checked_number("alpha", alpha, lambda value: value >= 0, "0 or more")
        lr = checked_number("lr", lr, lambda value: value > 0, "a positive number")
        self._learned = LearnedScalars(len(self.tasks), start=1.0, lr=lr)
        self._initial = InitialLosses(len(self.tasks))
        self._norms = torch.full((len(self.tasks),), torch.nan, dtype=torch.float64)
        """The gradient norms that the open step's weights were computed from; NaN for other tasks."""

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the learned weights, and keep the gradient norms to learn from."""
        assert gradients is not None
        rows = self._indices(tasks)
        self._norms = torch.full_like(self._norms, torch.nan)
        self._norms[rows] = gradients.diagonal().sqrt()
        return self._learned.values(rows)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Learn the weights from a step's losses and gradient norms."""
        self._initial.record(self._indices(tasks), losses)
        measured = ~self._norms[self._indices(tasks)].isnan()
        rows = [row for row, there in zip(self._indices(tasks), measured, strict=True) if there]
        if not rows:
            return
        ratios = self._initial.ratios(rows, losses[measured])
        weights, norms = self._learned.values(rows), self._norms[rows]
        pulls = weights * norms
        slopes = (pulls - pulls.mean() * (ratios / ratios.mean()) ** self._alpha).sign() * norms
        self._learned.adam_step(rows, slopes)
        learned = self._learned.values(rows).clamp_min(_SMALLEST)
        self._learned.set_values(rows, learned * (weights.sum() / learned.sum()))

    def after_step(self, recompute: Callable[[], Mapping[str, Tensor]] | None = None, *, skipped: bool = False) -> None:
        """Close an optimizer step, and forget its gradient norms: see `Balancer.after_step`."""
        super().after_step(recompute, skipped=skipped)
        self._norms = torch.full_like(self._norms, torch.nan)

    def _get_state(self) -> dict[str, Tensor]:
        own = {"first": self._initial.first, "norms": self._norms}
        return super()._get_state() | own | self._learned.state()

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._initial.first = state["first"]
        self._norms = state["norms"]
        self._learned.load(state)
