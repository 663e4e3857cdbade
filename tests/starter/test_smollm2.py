"""The conversion of the starter LLM, on a small GGUF and on the real one."""

import hashlib
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Format
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaModel

from equipoise.modeling.backbone import load_backbone, longest_input
from equipoise.starter import STARTERS, _smollm2

WIDTH, HEADS, KEY_HEADS, INNER = 576, 9, 3, 64
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["a", "b", "Ġ", "Ċ", "1", "2", "ab", "ĠĠ", "ĊĊ", "Ġab"]
MERGES = ["a b", "Ġ Ġ", "Ċ Ċ", "Ġ ab"]
TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a GGUF of one layer, as wide as the real one, and what `convert` makes of it."""
    folder = tmp_path_factory.mktemp("small")
    tokens = CONTROL + PLAIN
    writer = gguf.GGUFWriter(folder / _smollm2.GGUF, "llama")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(CONTROL) + [1] * len(PLAIN))
    writer.add_token_merges(MERGES)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(0)
    keys = WIDTH // HEADS * KEY_HEADS
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (keys, WIDTH), "attn_v": (keys, WIDTH), "attn_output": (WIDTH, WIDTH)}
    shapes |= {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
    formats = {f"blk.0.{name}.weight": (shape, Format.Q4_1) for name, shape in shapes.items()}
    formats["token_embd.weight"] = ((len(tokens), WIDTH), Format.Q8_0)
    for name in ("blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"):
        formats[name] = ((WIDTH,), Format.F32)
    for name, (shape, kind) in formats.items():
        values = random.standard_normal(shape).astype(np.float32)
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _smollm2.convert(folder)
    return folder


def test_the_weights_are_those_that_transformers_reads(small: Path) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(small, gguf_file=_smollm2.GGUF, dtype=torch.float32).state_dict()
    ours = load_file(small / "model.safetensors")
    # The output layer is the embeddings, which are stored once.
    assert torch.equal(theirs.pop("lm_head.weight"), ours["model.embed_tokens.weight"])
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, theirs[name]), name


def test_the_tokenizer_merges_and_lets_digits_stand_alone(small: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(small)
    text = "ab  12 ab\n\n1<|im_end|>"
    encoded = tokenizer(text)
    expected = ["ab", "ĠĠ", "1", "2", "Ġab", "ĊĊ", "1", "<|im_end|>"]
    assert tokenizer.convert_ids_to_tokens(encoded["input_ids"]) == expected
    assert set(encoded) == {"input_ids", "attention_mask"}
    assert tokenizer.decode(encoded["input_ids"]) == text
    assert tokenizer.decode(encoded["input_ids"], skip_special_tokens=True) == text.removesuffix("<|im_end|>")
    assert tokenizer.chat_template == TEMPLATE


def test_a_disk_without_room(small: Path, tmp_path: Path) -> None:
    (tmp_path / _smollm2.GGUF).symlink_to(small / _smollm2.GGUF)
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(OSError, match="directory"):
        _smollm2.convert(tmp_path)


@pytest.mark.starter
def test_the_folder_is_whole(smollm2: Path) -> None:
    digests = STARTERS["smollm2-135m"].digests
    assert {path.name for path in smollm2.iterdir()} == {*digests, "starter.json"}
    for path, digest in digests.items():
        with (smollm2 / path).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest, path


@pytest.mark.starter
def test_it_loads_as_a_backbone(smollm2: Path, tmp_path: Path) -> None:
    backbone, tokenizer = load_backbone("smollm2-135m")
    assert type(backbone) is LlamaModel
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert sum(parameter.numel() for parameter in backbone.parameters()) == 134_515_008
    assert longest_input(backbone) == tokenizer.model_max_length == 8192
    assert len(tokenizer) == backbone.config.vocab_size == 49_152
    special = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    assert special == (1, 2, 2, 0)
    # No token is put before or after a text; digits and the blanks before them stand alone, also after a saving.
    tokenizer.save_pretrained(tmp_path)
    for each in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        ids = each("Up 3.5%\n\n  2024 profits")["input_ids"]
        pieces = ["Up", "Ġ", "3", ".", "5", "%", "ĊĊĠĠ", "2", "0", "2", "4", "Ġprofits"]
        assert each.convert_ids_to_tokens(ids) == pieces
        assert each.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True) == (
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
        )


@pytest.mark.starter
def test_it_answers(smollm2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    model = AutoModelForCausalLM.from_pretrained(smollm2).eval()
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    length = prompt["input_ids"].shape[1]
    answer = model.generate(**prompt, do_sample=False, max_new_tokens=20)[0, length:]
    assert tokenizer.decode(answer) == "The capital of France is Paris.<|im_end|>"
