"""What `train.precision` is on this machine."""

from equipoise.devices import choose_device
from equipoise.precision import PRECISIONS, compute_type

from .processes import on_cpus


def precision_notes(precision: str) -> list[str]:
    """Return a sentence for the report where `train.precision` is not what training computes in, else none."""
    device = "cpu" if on_cpus() else choose_device().type
    if compute_type(precision, device) is PRECISIONS[precision]:
        return []
    return [f"train.precision: {precision} is emulated on this processor, and slow; float32 is used instead."]
