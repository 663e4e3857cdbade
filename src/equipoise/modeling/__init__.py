"""The model: backbone → features → task modules."""

from .backbone import freeze_embeddings, load_backbone
from .inference import infer
from .model import MultiTaskModel
from .predictor import Predictor, load
from .quiet import quiet_transformers
from .task_modules import TaskModule

__all__ = [
    "MultiTaskModel",
    "Predictor",
    "TaskModule",
    "freeze_embeddings",
    "infer",
    "load",
    "load_backbone",
    "quiet_transformers",
]
