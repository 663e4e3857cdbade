"""In which type of number models compute."""

import torch

from equipoise.errors import UsageError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The types by their names in run files and options."""
PURE_BF16 = "pure_bf16"
"""`train.precision` where weights are in bfloat16, too."""


def compute_type(precision: str, device: str) -> torch.dtype:
    """Return the type in which products are computed; `pure_bf16` says of weights what `bf16` says of products.

    On a CPU whose processor has no fast bfloat16, `bf16` is float32: emulated products are slower and less exact.

    Args:
        precision: a key of `PRECISIONS`, or `PURE_BF16`.
        device: type of the device, "cpu" or another.
    """
    if precision == PURE_BF16:
        precision = "bf16"
    if precision == "bf16" and device == "cpu" and not _has_fast_bfloat16():
        return torch.float32
    return PRECISIONS[precision]


def computing_in(dtype: torch.dtype, device: str) -> torch.autocast:
    """Return a context in which products are computed in a type.

    Args:
        dtype: see `compute_type`.
        device: type of the device.
    """
    rounded = dtype is not torch.float32
    return torch.autocast(device, dtype if rounded else None, enabled=rounded)


def check_precision(precision: str, device: str) -> torch.dtype:
    """Return the type in which a trained model answers.

    Raises:
        UsageError: there is none of that name, or this device does not compute in it.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision: found {precision!r}, expected one of {', '.join(PRECISIONS)}.")
    dtype = compute_type(precision, device)
    if dtype is torch.float16 and device == "cpu":
        raise UsageError("precision: found fp16, which needs a GPU; expected fp32, or bf16.")
    if dtype is not PRECISIONS[precision]:
        raise UsageError(f"precision: {precision} is emulated on this processor, and slow; leave it out.")
    return dtype


def _has_fast_bfloat16() -> bool:
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
