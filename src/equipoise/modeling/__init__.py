"""The model: backbone → features → task modules."""

from .adapters import add_adapter, fingerprint, has_adapter, without_adapter
from .attention import plain_attention
from .backbone import freeze_embeddings, freeze_layers, is_decoder, layers_below, load_backbone, longest_input
from .encoding import encode_texts
from .ensembling import check_prompts, infer_texts
from .frozen_layers import FrozenLayers
from .inference import count_work, infer, make_batch
from .inputs import Inputs, gather_inputs
from .model import MultiTaskModel
from .predictor import Predictor, load
from .prefix import Prefix
from .probe import PENALTIES, LinearProbe
from .quiet import quiet_transformers
from .task_modules import TaskModule

__all__ = [
    "PENALTIES",
    "FrozenLayers",
    "Inputs",
    "LinearProbe",
    "MultiTaskModel",
    "Predictor",
    "Prefix",
    "TaskModule",
    "add_adapter",
    "check_prompts",
    "count_work",
    "encode_texts",
    "fingerprint",
    "freeze_embeddings",
    "freeze_layers",
    "gather_inputs",
    "has_adapter",
    "infer",
    "infer_texts",
    "is_decoder",
    "layers_below",
    "load",
    "load_backbone",
    "longest_input",
    "make_batch",
    "plain_attention",
    "quiet_transformers",
    "without_adapter",
]
