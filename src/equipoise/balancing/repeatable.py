"""The same forward pass twice, dropout included."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


class Repeatable(Generic[Result]):
    """Losses that can be computed again, with the random state of the first time.

    A balancer that looks at the losses after the update (FAMO) compares them with those before it. They must differ by
    the update alone, not by another dropout mask.

    Args:
        compute: makes the task losses of a batch, or what holds them.

    Example:
        >>> import torch
        >>> from equipoise.balancing import Repeatable
        >>> losses = Repeatable(lambda: {"score": torch.rand(2)})
        >>> bool((losses()["score"] == losses()["score"]).all())
        True
    """

    def __init__(self, compute: Callable[[], Result]) -> None:
        self._compute = compute
        self._cpu: Tensor | None = None
        self._gpus: dict[int, Tensor] = {}

    def __call__(self) -> Result:
        """Compute the losses; from the second time on with the first time's random state, which is then undone."""
        if self._cpu is None:
            self._cpu = torch.get_rng_state()
            self._gpus = {number: torch.cuda.get_rng_state(number) for number in _gpus_in_use()}
            return self._compute()
        with torch.random.fork_rng(devices=list(self._gpus), device_type="cuda"):
            torch.set_rng_state(self._cpu)
            for number, state in self._gpus.items():
                torch.cuda.set_rng_state(state, number)
            return self._compute()


def _gpus_in_use() -> list[int]:
    """Return the GPUs on which this process holds memory; others are not its own to open."""
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return []
    return [number for number in range(torch.cuda.device_count()) if torch.cuda.memory_reserved(number)]
