"""Uncertainty weighting: every task's weight is learned with it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchjd.scalarization import UW

from .base import DEFAULT_CLIP, Balancer
from .checks import checked_number


class UncertaintyWeighting(Balancer):
    r"""Weigh each task by its learned uncertainty (Kendall et al., 2018, arXiv 1705.07115).

    The log-variances s_t are learned by Adam on the objective (TorchJD's `UW`)

        Σ_t ½ e^(-s_t) L_t + ½ s_t,

    whose derivative at the loss, ½ e^(-s_t), is the weight before scaling. s_t = log L_t is its minimum, so
    that weights tend to 1 / L_t. A task that is absent from a step keeps its s_t.

    Deviations from the paper: the weights are scaled to sum to the number of tasks present, and the s_t step
    in the balancer's own optimiser, not in the model's, whose fine-tuning learning rates would hardly move
    them. They start from 0, as in TorchJD.

    Inputs: losses alone. Call `after_step` after every `optimizer.step()`: s_t is learned there.

    Relations: where the losses have settled, close to dividing each loss by its own value.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        lr: learning rate of the s_t; our choice, by which a weight takes about 100 steps to grow tenfold.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import UncertaintyWeighting
        >>> balance = UncertaintyWeighting(["score", "polarity"])
        >>> for _ in range(200):
        ...     loss = balance({"score": torch.tensor([4.0]), "polarity": torch.tensor([1.0])})
        ...     balance.after_step()
        >>> {task: round(weight, 1) for task, weight in balance.weights.items()}
        {'score': 0.4, 'polarity': 1.6}
    """

    paper = "Kendall, Gal and Cipolla, 2018, arXiv 1705.07115"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        lr: float = 0.025,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        lr = checked_number("lr", lr, lambda value: value > 0, "a positive number")
        # One scalarizer a task: Adam skips an absent task's parameter only if it has no gradient at all.
        self.scalarizers = nn.ModuleList(UW(1) for _ in self.tasks)
        self._adam = torch.optim.Adam(self.scalarizers.parameters(), lr=lr)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the derivative of the objective at the losses."""
        with torch.enable_grad():
            values = losses.clone().requires_grad_()
            (derivative,) = torch.autograd.grad(self._objective(self._indices(tasks), values), values)
        return derivative

    def learn(self, losses: Tensor, next_losses: Tensor | None, tasks: Sequence[str]) -> None:
        """Learn the uncertainties from a step's losses."""
        self._adam.zero_grad()
        with torch.enable_grad():
            self._objective(self._indices(tasks), losses).backward()
        self._adam.step()
        self._adam.zero_grad()

    def _objective(self, indices: Sequence[int], losses: Tensor) -> Tensor:
        """Compute the objective of some tasks, shape (1,)."""
        terms = []
        for index, loss in zip(indices, losses.split(1), strict=True):
            scalarizer = self.scalarizers[index]
            terms.append(scalarizer(loss.to(scalarizer.log_var)))
        return torch.stack(terms).sum()

    def _get_state(self) -> dict[str, Tensor]:
        adam = {
            f"adam.{index}.{name}": value
            for index, parameter_state in self._adam.state_dict()["state"].items()
            for name, value in parameter_state.items()
        }
        return super()._get_state() | adam

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        adam = self._adam.state_dict() | {"state": defaultdict(dict)}
        for key, value in state.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                adam["state"][int(index)][name] = value
        self._adam.load_state_dict(adam)
