"""Loading a backbone's matrices in 4 bits, through bitsandbytes."""

from importlib.util import find_spec
from typing import Any

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from equipoise.devices import choose_device
from equipoise.errors import ModelError

from .bilstm import BiLstmConfig


def quantization_settings(name: str) -> dict[str, Any]:
    """Return what `from_pretrained` takes to load matrices in 4 bits: NF4, multiplied in bfloat16.

    Dettmers et al., 2023, arXiv 2305.14314.

    Args:
        name: the backbone's name.

    Raises:
        ModelError: there is no GPU, bitsandbytes is not installed, or the backbone starts from nothing.
    """
    if name == BiLstmConfig.model_type:
        raise ModelError(f"quantization: '{name}' starts from nothing and has nothing to hold in 4 bits; leave it out.")
    missing = [] if choose_device().type == "cuda" else ["a GPU"]
    if find_spec("bitsandbytes") is None:
        missing.append("the package bitsandbytes (pip install bitsandbytes)")
    if missing:
        raise ModelError(
            f"quantization: 4bit needs {' and '.join(missing)}, found none here; leave quantization out, or train "
            "where there is."
        )
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)
    return {"quantization_config": settings}


def is_quantized(backbone: PreTrainedModel) -> bool:
    """Whether a backbone's matrices are held in 4 bits."""
    return bool(getattr(backbone, "is_loaded_in_4bit", False))
