"""A module's state as tensors that any file format holds."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class FlatState(nn.Module):
    """A module that remembers more than parameters and buffers.

    No buffers, since this state stays in float64 on the CPU wherever the module moves, and its shapes vary. Not
    `get_extra_state`, which is one entry that safetensors cannot hold.
    """

    tasks: dict[str, str]
    """By name their kinds. A state is for the same tasks in the same order."""

    @abstractmethod
    def _get_state(self) -> dict[str, Tensor]:
        """Return the state by name."""

    @abstractmethod
    def _set_state(self, state: dict[str, Tensor]) -> None:
        """Take over what `_get_state` returned; on the CPU now, and nobody else's."""

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        names = torch.tensor(list("\n".join(self.tasks).encode()), dtype=torch.uint8)
        state = {"tasks": names} | self._get_state()
        destination.update({f"{prefix}state.{name}": value for name, value in state.items()})

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing_keys: list[str], *args: Any
    ) -> None:
        own = f"{prefix}state."
        state = {key.removeprefix(own): value for key, value in state_dict.items() if key.startswith(own)}
        if state:
            self._take_over(state)
        else:
            missing_keys.append(f"{own}tasks")
        others = {key: value for key, value in state_dict.items() if not key.startswith(own)}
        super()._load_from_state_dict(others, prefix, metadata, strict, missing_keys, *args)

    def _take_over(self, state: dict[str, Tensor]) -> None:
        try:
            saved = bytes(state["tasks"].tolist()).decode().split("\n")
            if saved != list(self.tasks):
                raise ValueError(f"The saved state is of the tasks {saved}, the balancer's are {list(self.tasks)}.")
            self._set_state({name: value.detach().to("cpu", copy=True) for name, value in state.items()})
        except KeyError as error:
            raise ValueError(f"The saved state is not one of {type(self).__name__}: it has no {error}.") from None
