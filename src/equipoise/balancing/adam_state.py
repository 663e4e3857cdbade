"""The state of an Adam of the balancer's own, flat."""

from collections import defaultdict

import torch
from torch import Tensor


def get_adam_state(adam: torch.optim.Adam) -> dict[str, Tensor]:
    """Return a copy of what Adam remembers of each parameter, under the names `adam.INDEX.NAME`."""
    return {
        f"adam.{index}.{name}": value.clone()
        for index, remembered in adam.state_dict()["state"].items()
        for name, value in remembered.items()
    }


def set_adam_state(adam: torch.optim.Adam, state: dict[str, Tensor]) -> None:
    """Take over what `get_adam_state` returned; other entries of the state are left out."""
    remembered: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        if key.startswith("adam."):
            _, index, name = key.split(".")
            remembered[int(index)][name] = value
    adam.load_state_dict(adam.state_dict() | {"state": remembered})
