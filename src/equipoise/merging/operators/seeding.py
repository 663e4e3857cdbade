"""Random draws that depend on a seed and names alone."""

from hashlib import blake2b

import torch
from torch import Tensor


def derive_seed(seed: int, name: str) -> int:
    """Return the seed of one of many named things: the same on every machine, and nearly surely another for each."""
    # Torch's generator on the CPU uses 32 bits of its seed only.
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=4).digest(), "little")


def drop(vector: Tensor, keep: Tensor | float, seed: int, expert: str) -> Tensor:
    """Keep each number with a probability and divide it by that, so that its expectation stays; zero the others.

    Args:
        vector: of any shape, float32.
        keep: the probability, above 0: of all numbers, or of each one.
        seed: the tensor's seed.
        expert: the expert's name, which is part of the seed: experts draw independently, in whatever order they come.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, expert))
    # On the CPU wherever the vector is: the draws are the same on every device.
    drawn = torch.rand(vector.shape, generator=generator).to(vector.device)
    return torch.where(drawn < keep, vector / keep, torch.zeros_like(vector))
