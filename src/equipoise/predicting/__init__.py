"""From texts to answers, whatever computes: torch, or onnxruntime. Free of torch."""

from .base_predictor import BasePredictor
from .description import DescriptionPart, ModelFacts, read_description
from .inputs import Inputs, gather_inputs
from .templates import check_prompts

__all__ = [
    "BasePredictor",
    "DescriptionPart",
    "Inputs",
    "ModelFacts",
    "check_prompts",
    "gather_inputs",
    "read_description",
]
