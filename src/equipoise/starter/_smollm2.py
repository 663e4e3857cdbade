"""Turn SmolLM2-135M-Instruct from GGUF into a folder that transformers reads.

L. Ben Allal et al., "SmolLM2: When Smol Goes Big – Data-Centric Training of a Small Language Model", 2025,
arXiv 2502.02737.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.files import to_json

if TYPE_CHECKING:
    import numpy as np

GGUF = "model.gguf"
_WIDTH, _HEAD_WIDTH, _POSITIONS, _TOKENS = 576, 64, 8192, 49152
_BEGIN, _END, _UNKNOWN = "<|im_start|>", "<|im_end|>", "<|endoftext|>"

# Written out rather than saved by transformers, whose version would stand in them and change their digests.
_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "dtype": "float32",
    "vocab_size": _TOKENS,
    "hidden_size": _WIDTH,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": _HEAD_WIDTH,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "rms_norm_eps": 1e-05,
    "max_position_embeddings": _POSITIONS,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
_GENERATION_CONFIG = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
_TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": _POSITIONS,
    "model_input_names": ["input_ids", "attention_mask"],
    "clean_up_tokenization_spaces": False,
    "bos_token": _BEGIN,
    "eos_token": _END,
    "unk_token": _UNKNOWN,
    "pad_token": _END,
}
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_SPECIAL = 3  # GGUF's mark of a control token

_OUTER = {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}
_INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert(folder: Path) -> None:
    """Write weights, configuration and tokenizer beside `model.gguf`.

    The weights are dequantized to float32 (Q4_1, the embeddings Q8_0), so that they can be trained; the output
    layer shares the embeddings, which are stored once. They are equal, bit by bit, to those that transformers
    reads from the GGUF; reading it with `gguf` alone takes a third of the time and does not depend on which
    kernels transformers finds.

    The tokenizer is that of the published model: digits stand alone, which a GGUF states by a name only and
    transformers leaves out; it also limits inputs to 8,192 tokens. Padding is `<|im_end|>`, as published, and
    thus also the end of an answer: losses and pooling must go by the attention mask, not by the token.

    Raises:
        OSError: the files cannot be written.
    """
    from gguf import GGUFReader, dequantize
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    reader = GGUFReader(folder / GGUF)
    weights = {}
    for tensor in reader.tensors:
        name, part = _name(tensor.name)
        weight = dequantize(tensor.data, tensor.tensor_type)
        weights[name] = _rotary_halves(weight) if part in ("attn_q", "attn_k") else weight
    try:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    except SafetensorError as error:  # a full disk, for one
        raise OSError(str(error)) from error

    values = {key: field.contents() for key, field in reader.fields.items() if key.startswith("tokenizer.")}
    _write(folder / "config.json", _CONFIG)
    _write(folder / "generation_config.json", _GENERATION_CONFIG)
    _write(folder / "tokenizer_config.json", _TOKENIZER_CONFIG)
    _write(folder / "tokenizer.json", _tokenizer(values))
    (folder / "chat_template.jinja").write_bytes(values["tokenizer.chat_template"].encode())


def _name(name: str) -> tuple[str, str]:
    """Return a tensor's name in transformers, and the part of the model that it belongs to."""
    part, _, rest = name.partition(".")
    if part in _OUTER:
        return _OUTER[part], part
    layer, part, _ = rest.split(".")
    return f"model.layers.{layer}.{_INNER[part]}.weight", part


def _rotary_halves(weight: "np.ndarray") -> "np.ndarray":
    """Sort each head's rows: GGUF holds the two rows that are rotated together side by side, Llama in halves."""
    heads = weight.reshape(-1, _HEAD_WIDTH // 2, 2, _WIDTH)
    return heads.swapaxes(1, 2).reshape(weight.shape)


def _tokenizer(values: dict[str, Any]) -> dict[str, Any]:
    """Return the content of tokenizer.json, from the GGUF's tokens and merges."""
    tokens, kinds = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, **plain}
            for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == _SPECIAL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL],
        },
        "post_processor": None,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in values["tokenizer.ggml.merges"]],
        },
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes((to_json(content, indent=1) + "\n").encode())
