"""Random weights: the litmus test of every other balancer."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.checks import checked_integer

from .base import DEFAULT_CLIP
from .seeding import seeded_by_step
from .torchjd_balancers import TorchJDScalarizer, derivative


class RandomWeights(TorchJDScalarizer):
    r"""Draw new task weights in every step (RLW, Lin et al., 2021, arXiv 2111.10603).

        w ∝ softmax(x),    x_t ~ N(0, 1),

    TorchJD's `Random`. In the mean over the steps all tasks weigh the same.

    Deviations from the paper: none. The draws depend on the seed, the step and the names of the tasks present alone.

    Inputs: losses alone, of which nothing is used.

    Relations: a balancer that does not beat this one has learned nothing.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        seed: seed of the draws; in a run, its own seed by default.
        clip: the smallest and the largest weight.

    Example:
        >>> import torch
        >>> from equipoise.balancing import RandomWeights
        >>> balance = RandomWeights(["score", "polarity"])
        >>> for _ in range(2):
        ...     loss = balance({"score": torch.tensor([1.0]), "polarity": torch.tensor([1.0])})
        ...     print({task: round(weight, 2) for task, weight in balance.weights.items()})
        {'score': 1.25, 'polarity': 0.75}
        {'score': 0.77, 'polarity': 1.23}
    """

    rescaling = "ignores"
    random = True
    paper = "Lin et al., 2021, arXiv 2111.10603"
    scalarizer = "Random"

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        seed: int = 0,
        clip: tuple[float, float] = DEFAULT_CLIP,
    ) -> None:
        super().__init__(tasks, clip=clip)
        self._seed = checked_integer("seed", seed, 0)

    def compute_weights(self, losses: Tensor, gradients: Tensor | None, tasks: Sequence[str]) -> Tensor:
        """Return the softmax of normal draws."""
        with seeded_by_step(self._seed, int(self._memory.count)):
            drawn = derivative(self._make_scalarizer(), losses)
        # In the order of the names, so that it does not matter in which order the tasks are listed.
        order = torch.tensor(sorted(range(len(tasks)), key=tasks.__getitem__))
        return drawn[order.argsort()]
