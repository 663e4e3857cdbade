"""What a merge cannot account for is refused by name, before anything is written."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertModel,
)

from adapters import one, save_checkpoint, save_model
from equipoise.errors import EquipoiseError, ModelError, UsageError
from equipoise.merging import merge

LLM_LORA = {"r": 2, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}


def save_adapter(folder, base, loader=AutoModelForCausalLM, resize=None, **options):
    """An adapter that changes something."""
    torch.manual_seed(0)
    model = loader.from_pretrained(base)
    if resize:
        model.resize_token_embeddings(resize)
    adapted = get_peft_model(model, LoraConfig(**{**LLM_LORA, **options}))
    for name, parameter in adapted.named_parameters():
        if parameter.requires_grad and "lora_A" not in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    adapted.save_pretrained(folder)


def edit_tensors(file, edit):
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def edit_json(file, **values):
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def refused(tmp_path, message, *names, kind=ModelError, **options):
    with pytest.raises(kind, match=message) as caught:
        merge([tmp_path / name for name in names], tmp_path / "out", **options)
    assert len(str(caught.value)) <= 500
    assert not (tmp_path / "out").exists()
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modules_to_save": ["embed_tokens"]}, "changes 'model.embed_tokens.weight', which '.*' ties to its output"),
        ({"target_modules": ["embed_tokens", "q_proj"]}, "changes 'model.embed_tokens.weight', which '.*' ties"),
        ({"modules_to_save": ["lm_head"]}, "holds 'lm_head.weight' whole .* is tied to other weights"),
        ({"trainable_token_indices": [3, 5]}, "rows of embeddings"),
        ({"resize": 500}, r"holds '(lm_head|model.embed_tokens).weight' whole \(shape \(500, 32\)\)"),
    ],
)
def test_embeddings_in_an_adapter_of_a_tied_decoder(tmp_path, tiny_llm, options, message):
    save_adapter(tmp_path / "a", tiny_llm, **options)
    save_adapter(tmp_path / "b", tiny_llm)
    for names in (["a", "b"], ["b", "a"]):
        for operator in ("linear", "ties"):
            refused(tmp_path, message, *names, operator=operator)


def test_a_head_in_an_adapter(tmp_path, tiny_model):
    base = {"loader": AutoModelForSequenceClassification, "target_modules": ["query"], "task_type": "SEQ_CLS"}
    save_adapter(tmp_path / "a", tiny_model, **base)
    refused(tmp_path, "holds 'classifier.(weight|bias)' whole .*'.*' has nothing", "a")


def test_names_that_do_not_reach_the_model(tmp_path, tiny_llm):
    save_adapter(tmp_path / "a", tiny_llm)
    file = tmp_path / "a" / "adapter_model.safetensors"
    whole = load_file(file)
    save_file({key.replace("model.layers", "decoder.layers"): whole[key] for key in whole}, file)
    refused(tmp_path, r"8 of its 8 tensors have no place in LlamaForCausalLM: '\w+.layers.0", "a")
    save_file({key.replace("layers.1.", "layers.7."): whole[key] for key in whole}, file)
    refused(tmp_path, "its file lacks 4 of 8 tensors: .*layers.1.self_attn.q_proj", "a")
    save_file(dict(list(whole.items())[1:]), file)
    refused(tmp_path, "its file lacks 1 of 8 tensors", "a")
    save_file({**whole, "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": torch.ones(2, 32)}, file)
    refused(tmp_path, "adapter_config.json says nothing of 1 tensors: .*layers.0.mlp.up_proj.lora_A.weight", "a")
    save_file({key: tensor[:1] if "lora_A" in key else tensor for key, tensor in whole.items()}, file)
    refused(tmp_path, "does not fit .*size mismatch", "a")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number(tmp_path, tiny_llm, value):
    def spoil(tensors):
        tensors[max(tensors)].view(-1)[0] = value

    save_adapter(tmp_path / "adapter", tiny_llm)
    save_checkpoint(tmp_path / "whole", tiny_llm)
    save_model(tmp_path / "ours", tiny_llm, one(polarity="head"), 1)
    for name, file in (
        ("adapter", "adapter_model.safetensors"),
        ("whole", "model.safetensors"),
        ("ours", "task_modules.safetensors"),
    ):
        edit_tensors(tmp_path / name / file, spoil)
        if name == "ours":
            edit_json(tmp_path / name / "equipoise.json", files={})  # else its digest says that it was changed
        refused(tmp_path, "1 tensors hold infinities or NaN", name, base=str(tiny_llm))


def test_other_models_of_the_same_shape(tmp_path, tiny_model):
    torch.manual_seed(5)
    BertModel(BertConfig.from_pretrained(tiny_model)).save_pretrained(tmp_path / "other")
    refused(tmp_path, "not tuned from .*the cosine between", "other", base=str(tiny_model))
    # Half as far again as the weights are large, as at far too large a learning rate, is still a relative.
    torch.manual_seed(5)
    near = AutoModel.from_pretrained(tiny_model)
    for parameter in near.parameters():
        parameter.data += 1.5 * parameter.std().nan_to_num(0.0) * torch.randn_like(parameter)
    near.save_pretrained(tmp_path / "near")
    assert merge([tmp_path / "near"], tmp_path / "out", base=str(tiny_model)).form == "weights"


@pytest.mark.parametrize(
    ("key", "value"), [("num_attention_heads", 4), ("hidden_act", "relu"), ("layer_norm_eps", 0.1)]
)
def test_weights_that_would_compute_something_else(tmp_path, tiny_model, key, value):
    save_checkpoint(tmp_path / "a", tiny_model)
    edit_json(tmp_path / "a/config.json", hidden_dropout_prob=0.3, use_cache=False, label2id={"a": 0, "b": 1})
    assert merge([tmp_path / "a"], tmp_path / "out", base=str(tiny_model)).form == "weights"
    shutil.rmtree(tmp_path / "out")
    edit_json(tmp_path / "a/config.json", **{key: value})
    refused(
        tmp_path, rf"a: config\.json: {key}: found '?{value}'?, expected .* as in the base", "a", base=str(tiny_model)
    )


def test_whole_numbers_in_the_place_of_weights(tmp_path, tiny_model):
    name = "encoder.layer.0.attention.self.query.weight"
    save_checkpoint(tmp_path / "a", tiny_model)
    edit_tensors(
        tmp_path / "a/model.safetensors", lambda tensors: tensors.update({name: torch.zeros(32, 32, dtype=torch.int8)})
    )
    refused(tmp_path, f"'{name}' in model.safetensors holds no floating-point numbers", "a", base=str(tiny_model))


def test_pickled_weights(tmp_path, tiny_llm):
    save_adapter(tmp_path / "adapter", tiny_llm)
    save_checkpoint(tmp_path / "whole", tiny_llm)
    for name, stem, pickled in (("adapter", "adapter_model", "adapter_model"), ("whole", "model", "pytorch_model")):
        file = tmp_path / name / f"{stem}.safetensors"
        torch.save(load_file(file), tmp_path / name / f"{pickled}.bin")
        file.unlink()
        refused(tmp_path, "only safetensors is read", name, base=str(tiny_llm))


def test_shards_that_are_missing_or_damaged(tmp_path, tiny_llm):
    save_checkpoint(tmp_path / "a", tiny_llm)
    AutoModel.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "a", max_shard_size="20KB")
    (tmp_path / "a" / "model.safetensors").unlink(missing_ok=True)
    shards = sorted((tmp_path / "a").glob("model-*.safetensors"))
    assert len(shards) > 2
    shards[1].write_bytes(shards[1].read_bytes()[:100])
    refused(tmp_path, f"{shards[1].name}: cannot be read", "a", base=str(tiny_llm))
    shutil.copy(shards[0], shards[1])
    refused(tmp_path, f"{shards[1].name}: lacks .* tensors that model.safetensors.index.json", "a", base=str(tiny_llm))
    shards[1].unlink()
    refused(tmp_path, f"{shards[1].name}: 1 of {len(shards)} files", "a", base=str(tiny_llm))


def test_tensors_without_a_place_and_places_without_a_tensor(tmp_path, tiny_model):
    save_checkpoint(tmp_path / "a", tiny_model)
    file = tmp_path / "a" / "model.safetensors"
    whole = load_file(file)
    save_file({**whole, "adapter.scale": torch.ones(2)}, file, metadata={"format": "pt"})
    refused(tmp_path, "'adapter.scale' in model.safetensors has no place in BertModel", "a", base=str(tiny_model))
    lost = "encoder.layer.0.attention.self.query.weight"
    save_file({key: whole[key] for key in whole if key != lost}, file, metadata={"format": "pt"})
    refused(tmp_path, f"hold no weights for 1 tensors of BertModel .*{lost}", "a", base=str(tiny_model))
    # Tables that older versions of transformers saved are no weights.
    save_file({**whole, "embeddings.position_ids": torch.arange(128)[None]}, file, metadata={"format": "pt"})
    made = merge([tmp_path / "a"], tmp_path / "out", base=str(tiny_model))
    assert [fate.fate for fate in made.tensors if fate.name == "embeddings.position_ids"] == ["unchanged"]


def test_code_of_its_own(tmp_path, tiny_llm):
    for name, file in (("whole", "config.json"), ("tokenizer", "tokenizer_config.json")):
        save_checkpoint(tmp_path / name, tiny_llm)
        edit_json(tmp_path / name / file, auto_map={"AutoModel": "model.Model"})
        refused(tmp_path, rf"{file}: found code that the model brings along \(auto_map", name, base=str(tiny_llm))


def test_bases_that_moved_or_have_revisions(tmp_path, tiny_llm):
    save_adapter(tmp_path / "a", tiny_llm)
    settings = tmp_path / "a" / "adapter_config.json"
    edit_json(settings, base_model_name_or_path=str(tmp_path / "gone"))
    refused(tmp_path, f"a: its files name '{tmp_path / 'gone'}' as its base, .*--base", "a")
    edit_json(settings, base_model_name_or_path="someone/base", revision="v2")
    refused(tmp_path, "a at v2.*--base", "a", kind=UsageError)
    assert merge([tmp_path / "a"], tmp_path / "out", base=str(tiny_llm)).form == "adapter"


def test_weights_beside_those_that_are_read(tmp_path, tiny_llm):
    save_checkpoint(tmp_path / "a", tiny_llm)
    save_adapter(tmp_path / "a", tiny_llm)
    refused(tmp_path, "found model.safetensors beside adapter_model.safetensors; .* read as an adapter", "a")


def test_quantized_checkpoints(tmp_path, tiny_llm):
    save_checkpoint(tmp_path / "a", tiny_llm)
    edit_json(tmp_path / "a" / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    refused(tmp_path, "quantized", "a", base=str(tiny_llm), kind=EquipoiseError)
