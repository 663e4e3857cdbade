"""On-the-fly gradient modulation, across tasks: hold back the tasks that are ahead."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_number

from .base import DEFAULT_CLIP, Balancer
from .initial_losses import InitialLosses


class OnTheFlyModulation(Balancer):
    r"""Slow down the tasks whose losses have fallen faster than the others' (OGM; Wei et al., 2024, arXiv 2410.11582).

        w_t ∝ 1 − tanh(α (ρ_t − 1)) if ρ_t > 1, else 1,    ρ_t = p_t / mean_{s ≠ t} p_s,    p_t = L_t(0) / L_t

    - p_t is the progress of task t: how many times smaller its loss is than at the start of training;
    - ρ_t compares it with the mean progress of the other tasks present.

    Across tasks is our design. The paper balances the modalities of one classifier: there ρ compares how well each
    modality alone predicts the labels, and the factor scales the gradient of its encoder. Tasks of different kinds
    have only their losses to compare, each with its own start.

    Other deviations: the authors' code has 1 − tanh(α ρ_t), which drops at once where a task gets ahead; here the
    factor leaves 1 continuously. No noise is added to the gradients (the paper's "generalization enhancement").
    The factors act on the whole loss, and are scaled to sum to the number of tasks present. L_t(0) is the mean of a
    task's first ten losses; until there is one, w_t ∝ 1.

    Inputs: losses alone. Call `after_step` after every `optimizer.step()`: L_t(0) is learned there.

    Relations: `GradNorm` pursues equal training rates through gradient norms; `EqualWeights` is the case α = 0.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        alpha: α, 0 or more: how strongly a task that is ahead is held back.
        clip: the smallest and the largest weight.

    Raises:
        ValueError: If an option is outside its range.

    Example:
        >>> import torch
        >>> from equipoise.balancing import OnTheFlyModulation
        >>> balance = OnTheFlyModulation(["score", "polarity"])
        >>> for loss in (4.0, 2.0):
        ...     scalar = balance({"score": torch.tensor([loss]), "polarity": torch.tensor([1.0])})
        ...     balance.after_step()
        >>> {task: round(weight, 2) for task, weight in balance.weights.items()}
        {'score': 0.5, 'polarity': 1.5}
    """

    rescaling = "ignores"
    paper = "Wei, Hu, Du and Wen, 2024, arXiv 2410.11582; across tasks: our design"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        alpha: float = 0.8,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        self._alpha = checked_number("alpha", alpha, lambda value: value >= 0, "0 or more")
        self._initial = InitialLosses(len(self.tasks))

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the factors."""
        if len(tasks) == 1:
            return torch.ones_like(losses)
        progress = 1 / self._initial.ratios(self._indices(tasks), losses)
        others = (progress.sum() - progress) / (len(tasks) - 1)
        return 1 - torch.tanh(self._alpha * (progress / others - 1).clamp_min(0))

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Count a step's losses as early ones, if they are."""
        self._initial.record(self._indices(tasks), losses)

    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | {"first": self._initial.first}

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._initial.first = state["first"]
