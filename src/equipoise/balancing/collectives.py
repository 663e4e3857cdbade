"""Sums over the processes of distributed training."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size(group: Any = None) -> int:
    """Return the number of processes: of a group, or of the default group; 1 where there is none."""
    if group is not None:
        return group.size()
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_ranks(tensor: Tensor, group: Any = None, device: torch.device | None = None) -> Tensor:
    """Return the sum of a tensor over all processes; every process has to take part, with the same shape.

    Args:
        tensor: this process's part.
        group: the processes.
        device: where to add up, as NCCL cannot on the CPU; by default where the tensor is. The sum is there again.
    """
    if world_size(group) == 1:
        return tensor
    total = tensor.detach().to(device or tensor.device, copy=True).contiguous()
    dist.all_reduce(total, group=group)
    return total.to(tensor.device)
