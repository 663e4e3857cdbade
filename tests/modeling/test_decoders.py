"""Decoders as backbones of heads, and what can be frozen or saved of any backbone."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from equipoise.errors import ModelError
from equipoise.modeling import MultiTaskModel, freeze_layers, load_backbone
from equipoise.modeling.backbone import default_pooling, is_decoder
from prompted import TEXTS, encode, make_batch, make_model, make_tasks, predict, run_batch, score_alone


@pytest.fixture(scope="module")
def tiny_gpt2(tmp_path_factory, tiny_llm):
    """A random GPT-2, which has absolute positions; its tokenizer pads on the left."""
    folder = tmp_path_factory.mktemp("tiny-gpt2")
    tokenizer = AutoTokenizer.from_pretrained(tiny_llm, padding_side="left")
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=256,
        initializer_range=0.1,
        bos_token_id=1,
        eos_token_id=2,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["tiny_llm", "tiny_gpt2"])
def folder(request):
    return request.getfixturevalue(request.param)


def modules(**formats):
    return {name: task for name, task in make_tasks(**formats).items() if name in formats}


def test_task_modules_read_the_last_token(folder):
    model = make_model(folder, modules(polarity="head"))
    assert is_decoder(model.backbone.config)
    assert (model.pooling, model.prompts) == ("last", None)
    rows = encode(model, TEXTS)
    found = predict(model, rows, "polarity")["polarity"]
    for row, text in enumerate(TEXTS):
        tokens = model.tokenizer(text, return_tensors="pt")["input_ids"]
        last = model.backbone(input_ids=tokens).last_hidden_state[:, -1]
        expected = model.head("polarity")(last).softmax(dim=-1)[0]
        np.testing.assert_allclose(found[row], expected.detach(), atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "last", "attention"])
def test_pooling_can_be_chosen_and_padding_changes_nothing(folder, pooling):
    model = make_model(folder, modules(polarity="head"), pooling=pooling)
    rows = encode(model, TEXTS)
    together = predict(model, rows, "polarity")["polarity"]
    np.testing.assert_allclose(predict(model, rows, "polarity", batch_size=1)["polarity"], together, atol=1e-5)
    default = predict(make_model(folder, modules(polarity="head")), rows, "polarity")["polarity"]
    assert np.allclose(default, together) == (pooling == "last")


def test_positions_are_those_of_the_sequence_alone(tiny_gpt2):
    """Where positions are absolute, those of a tree must be each node's own."""
    model = make_model(tiny_gpt2, make_tasks(intensity="head"))
    rows = encode(model, TEXTS, polarity=[0, 1, 2, 0], title=["so", "bad", "x", "y"])
    outputs = run_batch(model, make_batch(model, rows))
    prompts = [list(prompt) for prompt in encode(model, TEXTS)["prompt:title"]]
    question = model.tokenizer("Write the title of the text above.", add_special_tokens=False)["input_ids"]
    asked = model.tokenizer("What is the polarity of the text above? Answer with one of: bad, no idea or good.")
    for row, prompt in enumerate(prompts):
        start = next(place for place in range(len(prompt)) if prompt[place : place + len(question)] == question)
        own = prompt[:start] + asked["input_ids"] + prompt[start + len(question) :]
        for column, answer in enumerate(("bad", "no idea", "good")):
            expected = score_alone(model.backbone, own, model.tokenizer(answer)["input_ids"])
            assert outputs["polarity"][row, column].item() == pytest.approx(expected, abs=1e-5)


def test_saved_and_loaded_is_the_same(folder, tmp_path):
    model = make_model(folder, make_tasks(intensity="head"), pooling="mean")
    model.save_pretrained(tmp_path / "model")
    loaded = MultiTaskModel.from_pretrained(tmp_path / "model")
    assert (loaded.tasks, loaded.pooling, loaded.style) == (model.tasks, "mean", model.style)
    rows = encode(model, TEXTS)
    before, after = (predict(one, rows, *model.tasks) for one in (model, loaded))
    for task, values in before.items():
        assert values.tolist() == after[task].tolist()


def test_models_from_before_formats_are_read(folder, tmp_path):
    """They pooled by the mean, whatever the backbone."""
    model = make_model(folder, modules(polarity="head", intensity="head"), pooling="mean")
    model.save_pretrained(tmp_path / "model")
    config = json.loads((tmp_path / "model" / "equipoise.json").read_text())
    del config["pooling"]
    for task in config["tasks"].values():
        for key in ("format", "template", "verbalize"):
            task.pop(key, None)
    (tmp_path / "model" / "equipoise.json").write_text(json.dumps(config))
    loaded = MultiTaskModel.from_pretrained(tmp_path / "model")
    assert [task.format for task in loaded.tasks.values()] == ["head", "head"]
    rows = encode(model, TEXTS)
    for task, values in predict(model, rows, *model.tasks).items():
        assert predict(loaded, rows, task)[task].tolist() == values.tolist()


def test_freezing_layers(folder, tiny_model):
    for path in (folder, tiny_model):
        backbone, _ = load_backbone(str(path), language_model=True)
        freeze_layers(backbone, 1)
        trained = {name for name, parameter in backbone.named_parameters() if parameter.requires_grad}
        assert backbone.get_input_embeddings().weight.requires_grad is False
        assert not any("embeddings" in name or "wpe" in name for name in trained)
        assert any(".1." in name for name in trained)
        assert not any(".0." in name for name in trained)
        with pytest.raises(ModelError, match="found more than the 2 layers of "):
            freeze_layers(backbone, 3)


def test_gradient_checkpointing_gives_the_same_gradients(folder):
    found = []
    for again in (False, True):
        model = make_model(folder, make_tasks(intensity="head")).train()
        for part in model.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        layer = next(part for part in model.backbone.modules() if isinstance(part, torch.nn.ModuleList))[0]
        attention = layer.self_attn if hasattr(layer, "self_attn") else layer.attn
        computed = []
        attention.register_forward_hook(lambda *_, computed=computed: computed.append(1))
        if again:
            model.backbone.gradient_checkpointing_enable({"use_reentrant": False})
        batch = make_batch(model, encode(model, TEXTS[:2], polarity=[0, 1], intensity=[0.5, 0.1], title=["so", "no"]))
        losses = model.losses(run_batch(model, batch), batch["targets"])
        sum(loss.mean() for loss in losses.values() if len(loss)).backward()
        assert len(computed) == 1 + again
        found.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, atol=1e-6, rtol=1e-5, msg=name)


def test_what_is_a_decoder(folder, tiny_model):
    assert default_pooling(load_backbone(str(folder))[0].config) == "last"
    encoder = load_backbone(str(tiny_model))[0].config
    assert (is_decoder(encoder), default_pooling(encoder)) == (False, "mean")


def test_an_encoder_cannot_be_asked(tiny_model):
    with pytest.raises(ModelError, match=r"tasks.polarity: it prompts .* the backbone is no decoder \(found BertModel"):
        make_model(tiny_model, {"polarity": make_tasks()["polarity"]}, 100)


def test_a_decoder_without_its_output_layer_cannot_be_asked(tiny_llm):
    backbone, tokenizer = load_backbone(str(tiny_llm))
    with pytest.raises(ModelError, match=r"tasks.polarity: it prompts a language model"):
        MultiTaskModel(backbone, tokenizer, make_tasks(), 100)
