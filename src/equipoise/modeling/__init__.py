"""The model: backbone → features → heads."""

from .adapters import add_adapter, fingerprint, fold_adapter, has_adapter, without_adapter
from .attention import plain_attention
from .backbone import (
    count_layers,
    freeze_embeddings,
    freeze_layers,
    hidden_width,
    is_decoder,
    layers_below,
    load_backbone,
    longest_input,
)
from .base_digest import changed_files, digest_base
from .bfloat16_weights import bfloat16_parameters, held_in_bfloat16, held_in_float32, round_weights
from .compiling import compiled
from .encoding import encode_texts
from .ensembling import infer_texts
from .evaluating import evaluating
from .explaining import Explanation, explain_texts, why_unexplained
from .foreign_code import PICKLED, SAFE, refuse_foreign_code
from .frozen_layers import FrozenLayers
from .heads import Head
from .inference import count_work, infer, make_batch
from .language_head import is_one_layer
from .model import MultiTaskModel
from .model_files import check_files
from .model_folder import CARD, MERGE_RECORD, MODEL_OUTPUT, model_strangers
from .predictor import Predictor, find_model, load
from .prefix import Prefix
from .pushing import push
from .quantizing import is_quantized
from .quiet import quiet_transformers
from .raw_outputs import infer_outputs
from .saving import save_tasks
from .trees import reads_trees
from .words import WordWeight

__all__ = [
    "CARD",
    "MERGE_RECORD",
    "MODEL_OUTPUT",
    "PICKLED",
    "SAFE",
    "Explanation",
    "FrozenLayers",
    "Head",
    "MultiTaskModel",
    "Predictor",
    "Prefix",
    "WordWeight",
    "add_adapter",
    "bfloat16_parameters",
    "changed_files",
    "check_files",
    "compiled",
    "count_layers",
    "count_work",
    "digest_base",
    "encode_texts",
    "evaluating",
    "explain_texts",
    "find_model",
    "fingerprint",
    "fold_adapter",
    "freeze_embeddings",
    "freeze_layers",
    "has_adapter",
    "held_in_bfloat16",
    "held_in_float32",
    "hidden_width",
    "infer",
    "infer_outputs",
    "infer_texts",
    "is_decoder",
    "is_one_layer",
    "is_quantized",
    "layers_below",
    "load",
    "load_backbone",
    "longest_input",
    "make_batch",
    "model_strangers",
    "plain_attention",
    "push",
    "quiet_transformers",
    "reads_trees",
    "refuse_foreign_code",
    "round_weights",
    "save_tasks",
    "why_unexplained",
    "without_adapter",
]
