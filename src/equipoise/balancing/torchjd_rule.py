"""What the rules taken from TorchJD have in common: their state, and the packages they need."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import ClassVar

import torch
from torch import Tensor

from equipoise.errors import UsageError

from .base import DEFAULT_CLIP, Balancer


class TorchJDRule(Balancer):
    """Base of the rules that TorchJD computes.

    TorchJD's objects are made anew for every step and given the state of the tasks present, by task and not by
    position; what they have learned is read back. So all state is ours, and in the state dict.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken, for a rule that uses them.

    Raises:
        UsageError: If a package that the rule needs is not installed.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """What the rule needs beyond the dependencies of Equipoise."""

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"The balancer {type(self).__name__} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed. "
                'Install with: pip install "equipoise[balancers]"'
            )
        super().__init__(tasks, clip=clip, where=where)
        self._kept: dict[str, Tensor] = {}
        """What the rule remembers, by name; changed in place."""

    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | {f"kept.{name}": value.clone() for name, value in self._kept.items()}

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._kept = {name: state[f"kept.{name}"] for name in self._kept}


def part_of_simplex(whole: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Take some tasks' part of weights that sum to 1.

    Args:
        whole: weights of all tasks, shape (T,).
        rows: the P tasks.

    Returns:
        Their sum, and the weights as shares of it, shape (P,); equal shares where the sum is 0.
    """
    part = whole[rows]
    mass = part.sum()
    return mass, part / mass if mass > 0 else torch.full_like(part, 1 / len(rows))
