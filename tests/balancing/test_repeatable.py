"""Random states of GPUs that a process does not use are left alone."""

import pytest
import torch

from equipoise.balancing import Repeatable


@pytest.mark.parametrize(("initialized", "used"), [(False, []), (True, []), (True, [1])])
def test_only_gpus_in_use_are_touched(monkeypatch, initialized, used):
    asked = []

    def get(device):
        asked.append(("get", device))
        return torch.tensor([device], dtype=torch.uint8)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialized)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 512 * (device in used))
    monkeypatch.setattr(torch.cuda, "get_rng_state", get)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: asked.append(("set", device)))
    losses = Repeatable(lambda: torch.rand(2))
    first = losses()
    assert torch.equal(losses(), first)
    # Kept at first; kept again, put back to the first, and undone at the second.
    assert asked == [(what, device) for device in used for what in ("get", "get", "set", "set")]
