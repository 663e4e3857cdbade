"""Random draws that depend on the step alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_by_step(seed: int, step: int) -> Iterator[None]:
    """Let what is drawn on the CPU inside depend on a seed and the step alone.

    So all processes and a resumed run draw alike, and nobody else's random state moves.

    Args:
        seed: the balancer's seed, at least 0.
        step: the number of the optimizer step.
    """
    with torch.random.fork_rng(devices=[]):
        # Torch's generator on the CPU uses 32 bits of its seed only.
        torch.default_generator.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))
        yield
