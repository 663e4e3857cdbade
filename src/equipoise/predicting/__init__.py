"""From texts to answers, whatever computes: torch, or onnxruntime. Free of torch."""

from .base_predictor import BasePredictor, check_pair, choose_window
from .description import DescriptionPart, ModelFacts, read_description
from .inputs import TAKEN, Inputs, Text, check_columns, gather_inputs, gather_pairs, read_inputs
from .problems import Problems
from .readers import Reader, check_clean, find_readers, read_texts_from
from .templates import check_prompts
from .trust import Trust, make_sets

__all__ = [
    "TAKEN",
    "BasePredictor",
    "DescriptionPart",
    "Inputs",
    "ModelFacts",
    "Problems",
    "Reader",
    "Text",
    "Trust",
    "check_clean",
    "check_columns",
    "check_pair",
    "check_prompts",
    "choose_window",
    "find_readers",
    "gather_inputs",
    "gather_pairs",
    "make_sets",
    "read_description",
    "read_inputs",
    "read_texts_from",
]
