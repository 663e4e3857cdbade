"""FAMO: all losses fall at the same rate, from their values alone."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number
from equipoise.errors import TrainingError

from .base import DEFAULT_CLIP, Balancer
from .input_checks import checked_numbers

_EPSILON = 1e-8
# Adam's, as in torch.optim.Adam.
_DECAYS = (0.9, 0.999)
_ADAM_EPSILON = 1e-8


class FAMO(Balancer):
    r"""Let all losses fall at one rate, judged by them after each update (FAMO; Liu et al., 2023, arXiv 2306.03792).

        w_t ∝ z_t / (L_t - b_t + ε),    z = softmax(ξ),    ε = 1e-8

    After an update from L to L' the logits ξ take a step of Adam along the gradient (∂z/∂ξ)ᵀ δ,

        δ_t = log(L_t - b_t + ε) - log(L'_t - b_t + ε),

    so that tasks that fell less weigh more. b are lower bounds of the losses.

    Deviations from the paper: none in a batch with all tasks. In one without some, the softmax and δ are over those
    present; the logits and moments of the others stay, while Adam counts the step for all, as sparse forms of Adam do.

    Inputs: losses alone, each above its bound. Call `after_step(losses)` after every `optimizer.step()`, with a
    function that computes the losses of the same batch again (see `Repeatable`): one more forward pass a step.

    Relations: the first step's weights are those of `GeometricMean`. With all tasks in every step all weights are those
    of TorchJD's `FAMO`.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the logits, at least 0.
        weight_decay: pulls the logits to 0, at least 0; as in the paper's algorithm (the authors' code has 1e-5).
        min_losses: b by task; 0 by default.
        clip: the smallest and the largest weight.

    Raises:
        TrainingError: If a loss is below its bound.

    Example:
        >>> import torch
        >>> from equipoise.balancing import FAMO
        >>> balance = FAMO(["score", "polarity"])
        >>> before = {"score": torch.tensor([3.0]), "polarity": torch.tensor([1.0])}
        >>> for _ in range(20):
        ...     loss = balance(before)
        ...     balance.after_step(lambda: before | {"score": torch.tensor([2.0])})
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.23, 'polarity': 1.77}
    """

    needs_next_losses = True
    rescaling = "compensates"
    paper = "Liu et al., 2023, arXiv 2306.03792"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        lr: float = 0.025,
        weight_decay: float = 1e-3,
        min_losses: Mapping[str, float] | None = None,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        self._lr = checked_number("lr", lr, lambda value: value >= 0, "at least 0")
        self._decay = checked_number("weight_decay", weight_decay, lambda value: value >= 0, "at least 0")
        self._bounds = checked_numbers("min_losses", min_losses, self.tasks, 0.0, lambda _: True, "a number")
        # ξ and Adam's two moments by task, and Adam's steps.
        self._state = {name: torch.zeros_like(self._bounds) for name in ("logits", "exp_avg", "exp_avg_sq")}
        self._state["step"] = torch.zeros(())

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return z / (L - b + ε)."""
        return self._tasks_softmax(tasks) / self._above_bounds(losses, tasks)

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Take a step of Adam on the logits."""
        assert next_losses is not None
        delta = self._above_bounds(losses, tasks).log() - self._above_bounds(next_losses, tasks).log()
        z = self._tasks_softmax(tasks)
        rows = self._indices(tasks)
        state = self._state
        slopes = z * (delta - z @ delta) + self._decay * state["logits"][rows]
        state["step"] += 1
        for name, decay, value in zip(("exp_avg", "exp_avg_sq"), _DECAYS, (slopes, slopes.square()), strict=True):
            state[name][rows] = decay * state[name][rows] + (1 - decay) * value
        mean, square = (
            state[name][rows] / (1 - decay ** state["step"].item())
            for name, decay in zip(("exp_avg", "exp_avg_sq"), _DECAYS, strict=True)
        )
        state["logits"][rows] -= self._lr * mean / (square.sqrt() + _ADAM_EPSILON)

    def _tasks_softmax(self, tasks: Sequence[str]) -> Tensor:
        return torch.softmax(self._state["logits"][self._indices(tasks)], dim=0)

    def _above_bounds(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return L - b + ε, shape (P,)."""
        self._check_bounds(losses, tasks)
        return losses - self._bounds[self._indices(tasks)] + _EPSILON

    def _check_bounds(self, losses: Tensor, tasks: Sequence[str]) -> None:
        bounds = self._bounds[self._indices(tasks)]
        for task, loss, bound in zip(tasks, losses.tolist(), bounds.tolist(), strict=True):
            if loss < bound:
                raise TrainingError(
                    f"famo: the loss of task '{task}' is {loss:g}, below its lower bound {bound:g}. "
                    f"Give a lower one: min_losses: {{{task}: …}}."
                )
