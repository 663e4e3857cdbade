"""The device of the tests refuses what a GPU refuses, and else computes what the CPU does."""

import pytest
import torch

from other_device import other_device


def test_what_is_mixed_is_refused():
    with other_device() as device:
        there, here = torch.arange(6.0, device=device).view(2, 3), torch.ones(3)
        for mixed in (
            lambda: there + here,
            lambda: there @ here,
            lambda: here[torch.zeros(1, dtype=torch.long, device=device)],
            lambda: torch.cat([there[0], here]),
            lambda: torch.stack([there.sum(), torch.zeros(())]),
            lambda: torch.where(there > 1, there, here),
        ):
            with pytest.raises(RuntimeError, match="device"):
                mixed()
        with pytest.raises(TypeError, match="can't convert"):
            there.numpy()


def test_values_are_those_of_the_cpu():
    with other_device() as device:
        there = torch.tensor([1.0, 2.0, 3.0], device=device)
        assert there.device == device
        there[1:] += 1
        there[0] = torch.tensor(5.0)
        assert there.tolist() == [5.0, 3.0, 4.0]
        assert (there * torch.tensor(2.0))[torch.tensor([2])].cpu().numpy().tolist() == [8.0]
        layer = torch.nn.Linear(3, 1).to(device)
        layer(there).sum().backward()
        assert layer.weight.grad.tolist() == [[5.0, 3.0, 4.0]]
