"""The tokens of a batch that heads read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .scored_tokens import find_unique


class _Places(NamedTuple):
    """Which of the tokens that are read a task reads, shape (n,), and how many each of its rows has, shape (rows,)."""

    places: Tensor
    counts: Tensor


class TokenRows:
    """Which hidden states the heads of some tasks read, each once, and which belong to which task and row.

    Args:
        tasks: the tasks.
        scored: for each of them "positions" in the flattened rows × tokens, shape (n,), row after row, and "counts",
            how many tokens each row has, shape (rows,); a task that is missing has no rows.
        device: where the model computes.
    """

    def __init__(self, tasks: Sequence[str], scored: Mapping[str, Mapping[str, Tensor]], device: torch.device) -> None:
        nothing = torch.zeros(0, dtype=torch.long, device=device)
        read = {task: scored.get(task, {"positions": nothing, "counts": nothing}) for task in tasks}
        positions = [entry["positions"] for entry in read.values()]
        self.positions, places = find_unique([nothing, *positions])
        parts = places.split([len(part) for part in positions])
        self._read = {
            task: _Places(part, entry["counts"]) for (task, entry), part in zip(read.items(), parts, strict=True)
        }

    def of(self, task: str, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of a task's tokens, n × width, and how many of them each of its rows has, shape (rows,).

        Args:
            task: the task.
            features: the hidden states at `positions`.
        """
        read = self._read[task]
        return features[read.places], read.counts
