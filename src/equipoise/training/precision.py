"""What `train.precision` is on this machine."""

from equipoise.config import RunConfig
from equipoise.devices import choose_device
from equipoise.errors import TrainingError, UsageError
from equipoise.extras import check_extra
from equipoise.precision import PRECISIONS, PURE_BF16, compute_type

from .processes import on_cpus


def check_precision(config: RunConfig) -> None:
    """Refuse a precision that this machine, or the run's model, cannot be trained in.

    Raises:
        TrainingError: it needs another device.
        UsageError: it does not go with other settings, or its package is not installed.
    """
    precision, device = config.train.precision, _device()
    if precision == "fp16" and device != "cuda":
        raise TrainingError("train.precision: found fp16 on a CPU; fp16 needs a GPU; use bf16.")
    if precision != PURE_BF16:
        return
    refused = {
        "model": ("bilstm", "a pretrained model") if config.model == "bilstm" else None,
        # What is trained is small, and belongs to a base that is not rounded.
        "lora": ("an adapter", "none") if config.lora is not None else None,
    }
    for setting, words in refused.items():
        if words is not None:
            raise UsageError(
                f"{setting}: found {words[0]}, expected {words[1]} with train.precision: pure_bf16; change it, or use "
                "bf16."
            )
    if device not in ("cpu", "cuda") or compute_type(precision, device) is not PRECISIONS["bf16"]:
        raise TrainingError(
            f"train.precision: found pure_bf16 on a device without fast bfloat16 ({device}); use fp32, or a GPU."
        )
    check_extra("torchao", ("torchao",), "train.precision: pure_bf16")


def precision_notes(precision: str) -> list[str]:
    """Return a sentence for the report where `train.precision` is not what training computes in, else none."""
    if precision == PURE_BF16 or compute_type(precision, _device()) is PRECISIONS[precision]:
        return []
    return [f"train.precision: {precision} is emulated on this processor, and slow; float32 is used instead."]


def _device() -> str:
    return "cpu" if on_cpus() else choose_device().type
