"""Fine-tune one language model for many sentiment tasks at once, and keep them in balance."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.balancing import DynamicAdaptiveLoss, LabelStats
    from equipoise.comparison import compare
    from equipoise.devices import use_device
    from equipoise.errors import EquipoiseError
    from equipoise.evaluation import calibrate, evaluate
    from equipoise.exporting import export_onnx
    from equipoise.loading import load
    from equipoise.modeling import Predictor
    from equipoise.proposing import propose
    from equipoise.training import add_task, train
    from equipoise.tuning import tune

__version__ = "0.1.0"

_HOMES = {
    "DynamicAdaptiveLoss": "equipoise.balancing",
    "EquipoiseError": "equipoise.errors",
    "LabelStats": "equipoise.balancing",
    "Predictor": "equipoise.modeling",
    "add_task": "equipoise.training",
    "calibrate": "equipoise.evaluation",
    "compare": "equipoise.comparison",
    "evaluate": "equipoise.evaluation",
    "export_onnx": "equipoise.exporting",
    "load": "equipoise.loading",
    "propose": "equipoise.proposing",
    "train": "equipoise.training",
    "tune": "equipoise.tuning",
    "use_device": "equipoise.devices",
}

__all__ = [
    "DynamicAdaptiveLoss",
    "EquipoiseError",
    "LabelStats",
    "Predictor",
    "add_task",
    "calibrate",
    "compare",
    "evaluate",
    "export_onnx",
    "load",
    "propose",
    "train",
    "tune",
    "use_device",
]


def __getattr__(name: str) -> Any:
    """Import public names and packages when they are first asked for: the command and the plug-in start alone."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'equipoise' has no attribute '{name}'")
