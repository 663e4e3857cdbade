import json
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM

from equipoise.errors import ModelError
from equipoise.modeling import MultiTaskModel, add_adapter, load_backbone
from equipoise.modeling.adapters import fingerprint
from equipoise.training.trained_weights import load_weights, trained_weights
from prompted import TEXTS, encode, make_batch, make_model, make_tasks, predict, run_batch


def adapted(folder, tasks, **options):
    """A model whose adapter changes something, as after training."""
    torch.manual_seed(0)
    asked = any(task.format == "prompt" for task in tasks.values())
    backbone, tokenizer = load_backbone(str(folder), language_model=asked)
    add_adapter(backbone, **options)
    model = MultiTaskModel(backbone, tokenizer, tasks, 160 if asked else 64, base=str(folder)).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def modules():
    tasks = make_tasks(polarity="head", intensity="head", emotions="head")
    del tasks["title"]
    return tasks


@pytest.fixture
def model(tiny_llm):
    return adapted(tiny_llm, make_tasks(intensity="head"))


def test_only_the_adapter_and_the_modules_learn(model):
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    backbone = {name for name in trained if name.startswith("backbone.")}
    assert trained - backbone == {name for name, _ in model.named_parameters() if not name.startswith("backbone.")}
    assert len(backbone) == 2 * 2 * 2  # A and B, of queries and values, in two layers
    assert all(".lora_" in name for name in backbone)
    batch = make_batch(model, encode(model, TEXTS, polarity=[0, 1, 2, 0], intensity=[0.1] * 4, title=["so"] * 4))
    losses = model.losses(run_batch(model, batch), batch["targets"])
    sum(loss.sum() for loss in losses.values()).backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == trained


def test_a_new_adapter_changes_nothing(tiny_llm):
    plain = make_model(tiny_llm, make_tasks())
    rows = encode(plain, TEXTS)
    before = predict(plain, rows, "polarity")["polarity"]
    add_adapter(plain.backbone)
    np.testing.assert_allclose(predict(plain, rows, "polarity")["polarity"], before, atol=1e-7)


@pytest.mark.parametrize("base", ["tiny_llm", "tiny_model"])
def test_saved_and_loaded_is_the_same(request, tmp_path, base):
    folder = request.getfixturevalue(base)
    tasks = make_tasks(intensity="head") if base == "tiny_llm" else modules()
    options = {} if base == "tiny_llm" else {"targets": ["query", "key"], "rank": 2, "alpha": 3}
    model = adapted(folder, tasks, **options)
    model.save_pretrained(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "adapter",
        "equipoise.json",
        "task_modules.safetensors",
    ]
    assert {path.suffix for path in (tmp_path / "model" / "adapter").iterdir()} <= {".json", ".safetensors", ".md"}
    assert not any("base_layer" in name for name in load_file(tmp_path / "model/adapter/adapter_model.safetensors"))
    loaded = MultiTaskModel.from_pretrained(tmp_path / "model")
    rows = encode(model, TEXTS)
    for task, values in predict(model, rows, *model.tasks).items():
        assert predict(loaded, rows, task)[task].tolist() == values.tolist()
    # And once more: what is loaded can be saved.
    loaded.save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "equipoise.json").read_text())
    assert again == json.loads((tmp_path / "model" / "equipoise.json").read_text())


def test_peft_reads_the_adapter_by_itself(model, tiny_llm, tmp_path):
    model.save_pretrained(tmp_path / "model")
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_llm), tmp_path / "model" / "adapter")
    tokens = torch.tensor([[5, 6, 7, 8]])
    expected = model.backbone(input_ids=tokens).logits
    torch.testing.assert_close(theirs(input_ids=tokens).logits, expected, atol=1e-6, rtol=1e-5)
    merged = theirs.merge_and_unload()
    torch.testing.assert_close(merged(input_ids=tokens).logits, expected, atol=1e-5, rtol=1e-5)


def test_peft_reads_an_encoders_adapter(tiny_model, tmp_path):
    model = adapted(tiny_model, modules())
    model.save_pretrained(tmp_path / "model")
    theirs = PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_model), tmp_path / "model" / "adapter").eval()
    inputs = model.tokenizer(["good film"], return_tensors="pt")
    torch.testing.assert_close(theirs(**inputs).last_hidden_state, model.backbone(**inputs).last_hidden_state)


def test_another_base_is_noticed(model, tiny_llm, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(tiny_llm, base)
    model.base = str(base)
    model.save_pretrained(tmp_path / "model")
    MultiTaskModel.from_pretrained(tmp_path / "model")
    weights = load_file(base / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][0, 0] += 1e-3
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"its adapter was trained on another .*base' \(fingerprint then \w{12}…, now"):
        MultiTaskModel.from_pretrained(tmp_path / "model")


def test_a_base_that_is_gone(model, tiny_llm, tmp_path):
    shutil.copytree(tiny_llm, tmp_path / "base")
    model.base = str(tmp_path / "base")
    model.save_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(ModelError, match="base does not exist"):
        MultiTaskModel.from_pretrained(tmp_path / "model")


def test_an_adapter_without_a_base_is_not_saved(model, tmp_path):
    model.base = None
    with pytest.raises(ModelError, match="a model with an adapter is saved without its base"):
        model.save_pretrained(tmp_path / "model")


def test_the_fingerprint_is_that_of_the_base(tiny_llm):
    backbone, _ = load_backbone(str(tiny_llm), language_model=True)
    before = fingerprint(backbone)
    add_adapter(backbone)
    assert fingerprint(backbone) == before


def test_checkpoints_hold_no_frozen_weights(model, tmp_path):
    weights = trained_weights(model)
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert frozen
    assert not set(frozen) & set(weights)
    assert set(weights) == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    save_file(weights, tmp_path / "model.safetensors")
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.zeros_(parameter)
    load_weights(model, tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_tied_embeddings_are_kept_once(tiny_llm, tmp_path):
    model = make_model(tiny_llm, make_tasks())
    weights = trained_weights(model)
    assert "backbone.model.embed_tokens.weight" in weights
    assert "backbone.lm_head.weight" not in weights
    save_file(weights, tmp_path / "model.safetensors")
    before = model.backbone.lm_head.weight.clone()
    torch.nn.init.zeros_(model.backbone.lm_head.weight)
    load_weights(model, tmp_path)
    assert torch.equal(model.backbone.lm_head.weight, before)


def test_matrices_that_are_not_there(tiny_model):
    backbone, _ = load_backbone(str(tiny_model))
    with pytest.raises(
        ModelError, match=r"lora: no adapter can be put on BertModel .* It has dense, key, query, value"
    ):
        add_adapter(backbone, targets=["no_such_proj"])


def forget_digests(folder):
    """Make a model's folder one from before there were digests, whose files are checked by what they hold."""
    said = json.loads((folder / "equipoise.json").read_text())
    del said["files"]
    (folder / "equipoise.json").write_text(json.dumps(said))


def test_a_damaged_adapter(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    forget_digests(tmp_path / "model")
    file = tmp_path / "model" / "adapter" / "adapter_model.safetensors"
    weights = load_file(file)
    weights.popitem()
    save_file(weights, file)
    with pytest.raises(ModelError, match=r"not a readable Equipoise model .*found 7 tensors in .*, expected 8"):
        MultiTaskModel.from_pretrained(tmp_path / "model")
    file.unlink()
    with pytest.raises(ModelError, match="not a readable Equipoise model"):
        MultiTaskModel.from_pretrained(tmp_path / "model")


def test_an_adapter_without_settings_is_not_looked_for_elsewhere(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("m")
    forget_digests(tmp_path / "m")
    (tmp_path / "m" / "adapter" / "adapter_config.json").unlink()
    with pytest.raises(ModelError, match=r"Can't find 'adapter_config.json' at '/.*/m/adapter'"):
        MultiTaskModel.from_pretrained("m")


@pytest.mark.parametrize("targets", [None, ["embeddings"]])
def test_a_backbone_from_nothing_has_nothing_to_adapt(targets):
    backbone, _ = load_backbone("bilstm", ["so so", "good good"])
    with pytest.raises(ModelError, match="lora: bilstm starts from nothing"):
        add_adapter(backbone, targets=targets)
