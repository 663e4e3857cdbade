"""How much memory training has held."""

import resource
import sys
from pathlib import Path

import torch

from equipoise.devices import choose_device


def peak_memory_mb() -> float:
    """The most memory this process has held, in MB: the GPU's where there is one."""
    if torch.cuda.is_available() and choose_device().type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 1e6, 1)
    try:
        # Linux, where ru_maxrss begins with what the process that started this one held.
        kilobytes = int(Path("/proc/self/status").read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    return round(kilobytes * 1024 / 1e6, 1)
