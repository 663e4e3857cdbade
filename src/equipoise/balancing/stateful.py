"""Balancers that remember tensors from step to step."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from .base import DEFAULT_CLIP, Balancer


class StatefulBalancer(Balancer):
    """Base of the balancers whose state is a few named tensors.

    Args:
        tasks: the tasks' names, or a mapping from name to kind.
        clip: the smallest and the largest weight.
        where: where gradients are taken, for a balancer that uses them.
    """

    def __init__(
        self,
        tasks: Mapping[str, str] | Sequence[str],
        *,
        clip: tuple[float, float] = DEFAULT_CLIP,
        where: str = "map",
    ) -> None:
        super().__init__(tasks, clip=clip, where=where)
        self._state: dict[str, Tensor] = {}
        """The state by name, one entry per task; changed in place."""

    # The prefix in the state dict is older than the attribute's name; checkpoints have it.
    def _get_state(self) -> dict[str, Tensor]:
        return super()._get_state() | {f"kept.{name}": value.clone() for name, value in self._state.items()}

    def _set_state(self, state: dict[str, Tensor]) -> None:
        super()._set_state(state)
        self._state = {name: state[f"kept.{name}"] for name in self._state}
