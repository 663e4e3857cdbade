"""What `train.precision` is on this machine."""

import torch

from equipoise.devices import choose_device

from .processes import on_cpus

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def compute_type(precision: str, device: str) -> torch.dtype:
    """Return the type in which products are computed.

    On a CPU whose processor has no fast bfloat16, `bf16` is float32: emulated products are slower and less exact.

    Args:
        precision: `train.precision`.
        device: type of the device, "cpu" or another.
    """
    if precision == "bf16" and device == "cpu" and not _has_fast_bfloat16():
        return torch.float32
    return _TYPES[precision]


def computing_in(dtype: torch.dtype, device: str) -> torch.autocast:
    """Return a context in which products are computed in a type.

    Args:
        dtype: see `compute_type`.
        device: type of the device.
    """
    rounded = dtype is not torch.float32
    return torch.autocast(device, dtype if rounded else None, enabled=rounded)


def precision_notes(precision: str) -> list[str]:
    """Return a sentence for the report where `train.precision` is not what training computes in, else none."""
    device = "cpu" if on_cpus() else choose_device().type
    if compute_type(precision, device) is _TYPES[precision]:
        return []
    return [f"train.precision: {precision} is emulated on this processor, and slow; float32 is used instead."]


def _has_fast_bfloat16() -> bool:
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
