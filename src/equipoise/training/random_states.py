"""The random states of a process, in its checkpoint."""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.trainer_pt_utils import safe_globals


def random_states_file(checkpoint: str | Path, process: int, processes: int) -> Path:
    """Where a process keeps its random states; `transformers` has the same names."""
    return Path(checkpoint) / ("rng_state.pth" if processes == 1 else f"rng_state_{process}.pth")


def save_random_states(file: Path, device: torch.device) -> None:
    """Save the states of Python, NumPy, the CPU and one device.

    `transformers` saves those of all GPUs of the machine, also of GPUs that this process neither uses nor may open.

    Args:
        file: the file.
        device: what this process computes on.
    """
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.get_rng_state(),
    }
    if device.type != "cpu":
        states[device.type] = _state_of(device)
    os.makedirs(file.parent, exist_ok=True)
    torch.save(states, file)


def load_random_states(file: Path, device: torch.device) -> None:
    """Put back what `save_random_states` saved; a device of another kind keeps its state.

    Args:
        file: the file.
        device: what this process computes on.
    """
    with safe_globals():
        states = torch.load(file, map_location="cpu", weights_only=True)
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["cpu"])
    state = states.get(device.type) if device.type != "cpu" else None
    if isinstance(state, list):
        # Those of all devices, from a checkpoint of an earlier version.
        state = state[device.index or 0] if (device.index or 0) < len(state) else None
    if state is not None:
        module = torch.get_device_module(device.type)
        if device.index is None or device.type == "mps":
            module.set_rng_state(state)
        else:
            module.set_rng_state(state, device)


def _state_of(device: torch.device) -> torch.Tensor:
    module = torch.get_device_module(device.type)
    if device.index is None or device.type == "mps":
        return module.get_rng_state()
    return module.get_rng_state(device)
