"""The same forward pass twice, dropout included."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


class Repeatable(Generic[Result]):
    """Losses that can be computed again, with the random state of the first time.

    A rule that looks at the losses after the update (FAMO) compares them with those before it. They must differ by
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
        self._devices: list[Tensor] = []

    def __call__(self) -> Result:
        """Compute the losses; from the second time on with the first time's random state, which is then undone."""
        if self._cpu is None:
            self._cpu = torch.get_rng_state()
            self._devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
            return self._compute()
        with torch.random.fork_rng(devices=range(len(self._devices))):
            torch.set_rng_state(self._cpu)
            if self._devices:
                torch.cuda.set_rng_state_all(self._devices)
            return self._compute()
