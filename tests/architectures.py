"""Tiny random models of many architectures, each as transformers writes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoTokenizer, PreTrainedConfig

_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
_GQA = {**_SIZES, "num_key_value_heads": 2, "max_position_embeddings": 256, "head_dim": 8}
_SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
_WINDOW = 16


def _config(kind: str, **settings: Any) -> Callable[[int], PreTrainedConfig]:
    return lambda words: getattr(transformers, kind)(vocab_size=words, **settings)


ENCODERS: dict[str, Callable[[int], PreTrainedConfig]] = {
    "albert": _config("AlbertConfig", embedding_size=16, **_SIZES),
    "bert": _config("BertConfig", **_SIZES),
    "deberta-v2": _config("DebertaV2Config", relative_attention=True, **_SIZES),
    "distilbert": _config("DistilBertConfig", dim=32, n_layers=2, n_heads=4, hidden_dim=64),
    "electra": _config("ElectraConfig", embedding_size=16, **_SIZES),
    "modernbert": _config(
        "ModernBertConfig",
        local_attention=16,
        **_SIZES,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
    ),
    "mpnet": _config("MPNetConfig", max_position_embeddings=130, **_SIZES),
    "roberta": _config("RobertaConfig", max_position_embeddings=130, **_SIZES),
    "squeezebert": _config("SqueezeBertConfig", embedding_size=32, **_SIZES),
    "xlnet": _config("XLNetConfig", d_model=32, n_layer=2, n_head=4, d_inner=64),
}

DECODERS: dict[str, Callable[[int], PreTrainedConfig]] = {
    "bloom": _config("BloomConfig", hidden_size=32, n_layer=2, n_head=4, **_SPECIAL),
    "cohere": _config("CohereConfig", **{**_GQA, **_SPECIAL}),
    "falcon": _config("FalconConfig", hidden_size=32, num_hidden_layers=2, num_attention_heads=4, **_SPECIAL),
    "falcon-alibi": _config(
        "FalconConfig", hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True, **_SPECIAL
    ),
    "gemma2": _config("Gemma2Config", sliding_window=_WINDOW, **_GQA, **_SPECIAL),
    "gemma3": _config(
        "Gemma3TextConfig",
        sliding_window=_WINDOW,
        layer_types=["sliding_attention", "full_attention"],
        **_GQA,
        **_SPECIAL,
    ),
    "gpt-neo": _config(
        "GPTNeoConfig",
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        window_size=_WINDOW,
        attention_types=[[["global", "local"], 1]],
        max_position_embeddings=256,
        **_SPECIAL,
    ),
    "gpt-neox": _config("GPTNeoXConfig", max_position_embeddings=256, **_SIZES, **_SPECIAL),
    "gpt2": _config("GPT2Config", n_embd=32, n_layer=2, n_head=4, n_positions=256, **_SPECIAL),
    "granite": _config(
        "GraniteConfig",
        logits_scaling=4.0,
        **{key: value for key, value in _GQA.items() if key != "head_dim"},
        **_SPECIAL,
    ),
    "jamba": _config(
        "JambaConfig",
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        num_experts=2,
        use_mamba_kernels=False,
        **{key: value for key, value in _GQA.items() if key != "head_dim"},
        **_SPECIAL,
    ),
    "llama": _config("LlamaConfig", **_GQA, **_SPECIAL),
    "mamba": _config("MambaConfig", hidden_size=32, num_hidden_layers=2, state_size=8, **_SPECIAL),
    "mistral": _config("MistralConfig", sliding_window=_WINDOW, **_GQA, **_SPECIAL),
    "mpt": _config("MptConfig", d_model=32, n_heads=4, n_layers=2, max_seq_len=256, **_SPECIAL),
    "opt": _config(
        "OPTConfig",
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        word_embed_proj_dim=32,
        max_position_embeddings=256,
        **_SPECIAL,
    ),
    "phi": _config("PhiConfig", max_position_embeddings=256, **_SIZES, **_SPECIAL),
    "qwen2": _config("Qwen2Config", **_GQA, **_SPECIAL),
    "qwen2-window": _config(
        "Qwen2Config", use_sliding_window=True, sliding_window=_WINDOW, max_window_layers=1, **_GQA, **_SPECIAL
    ),
    "qwen3": _config("Qwen3Config", **_GQA, **_SPECIAL),
}
"""Their dropout is zero or off in evaluation mode."""

ENCODER_DECODERS: dict[str, Callable[[int], PreTrainedConfig]] = {
    "bart": _config(
        "BartConfig",
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
    ),
    "t5": _config("T5Config", d_model=32, d_ff=64, num_layers=2, num_heads=4, d_kv=8, decoder_start_token_id=0),
}


def save_architecture(name: str, tokenizer_folder: Path, folder: Path) -> Path:
    """Write a random model of an architecture, with the tokenizer of another folder."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    config = {**ENCODERS, **DECODERS, **ENCODER_DECODERS}[name](len(tokenizer))
    # Weights so large that what is masked wrongly shows.
    config.initializer_range = 0.3 if name in DECODERS else 0.02
    kind = {**dict.fromkeys(DECODERS, transformers.AutoModelForCausalLM)}.get(name, transformers.AutoModel)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
