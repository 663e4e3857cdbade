import json
import resource
import shutil
import signal

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoTokenizer,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from equipoise.errors import ModelError, OutputError
from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, load_backbone

TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson", (-1.0, 1.0), mean=0.5, std=2.0),
    "type": Classification("type", "s", "text", None, "label", "macro_f1", ("a", "b", "c")),
}


@pytest.fixture
def model(tiny_model):
    torch.manual_seed(0)
    return MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).eval()


@pytest.fixture
def inputs(model):
    return dict(model.tokenizer(["good film", "a bad phone and a sad place", "the"], padding=True, return_tensors="pt"))


def test_each_task_answers_for_its_own_rows(model, inputs):
    every = model(inputs)
    assert every["score"].shape == (3,)
    assert every["type"].shape == (3, 3)
    some = model(inputs, {"score": torch.tensor([2, 0]), "type": torch.tensor([1])})
    torch.testing.assert_close(some["score"], every["score"][[2, 0]])
    torch.testing.assert_close(some["type"], every["type"][[1]])


def test_a_task_without_rows_stays_in_the_graph(model, inputs):
    outputs = model(inputs, {"score": torch.tensor([0])})
    assert outputs["type"].shape == (0, 3)
    (outputs["score"].sum() + outputs["type"].sum()).backward()
    gradients = [parameter.grad for parameter in model.head("type").parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)


def test_padding_changes_nothing(model, inputs):
    alone = model(dict(model.tokenizer(["good film"], return_tensors="pt")))
    torch.testing.assert_close(model(inputs)["score"][:1], alone["score"], atol=1e-6, rtol=1e-5)


def test_scores_are_standardised_inside_and_clipped_outside(model):
    module = model.head("score")
    assert module.loss(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5])).tolist() == [0.0, 1.0]
    assert module.predict(torch.tensor([0.0, 0.1, 9.0, -9.0])).tolist() == pytest.approx([0.5, 0.7, 1.0, -1.0])


def test_classes_are_learnt_by_cross_entropy(model):
    module = model.head("type")
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert module.loss(logits, torch.tensor([0])).item() == pytest.approx(0.6931, abs=1e-4)
    assert module.predict(logits)[0].tolist() == pytest.approx([0.5, 0.25, 0.25])


def test_saved_and_loaded_is_the_same(model, inputs, tmp_path):
    folder = tmp_path / "deep" / "model"
    model.save_pretrained(folder)
    loaded = MultiTaskModel.from_pretrained(folder)
    assert loaded.tasks == TASKS
    assert loaded.max_length == 32
    assert not loaded.training
    for task, output in model(inputs).items():
        assert torch.equal(loaded(inputs)[task], output)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".json", ".safetensors", ".txt"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_backbone_is_an_ordinary_transformers_model(model, inputs, tmp_path):
    model.save_pretrained(tmp_path / "model")
    backbone = AutoModel.from_pretrained(tmp_path / "model" / "backbone").eval()
    assert AutoTokenizer.from_pretrained(tmp_path / "model" / "backbone").vocab_size == model.tokenizer.vocab_size
    torch.testing.assert_close(
        backbone(**inputs).last_hidden_state, model.backbone(**inputs).last_hidden_state, atol=0, rtol=0
    )


def test_nothing_is_half_written(model, tmp_path, monkeypatch):
    model.save_pretrained(tmp_path / "model")
    before = sorted(path for path in tmp_path.rglob("*"))
    monkeypatch.setattr(model.tokenizer, "save_pretrained", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.save_pretrained(tmp_path / "model")
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_every_parameter_is_trained(model, inputs):
    """No unused pooler: a parameter without a gradient would stop distributed training."""
    outputs = model(inputs)
    (outputs["score"].sum() + outputs["type"].square().sum()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_max_length_beyond_the_backbone(tiny_model):
    with pytest.raises(ModelError, match="max_length is 129, but the backbone reads at most 128 tokens"):
        MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=129)


@pytest.mark.parametrize("name", ["./no/such/folder", "no-such-model"])
def test_a_missing_model(name):
    with pytest.raises(ModelError, match=name):
        load_backbone(name)


def test_a_folder_that_holds_no_model(tmp_path, model):
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_backbone(str(tmp_path))
    with pytest.raises(ModelError, match=r"has no equipoise.json, expected an Equipoise model"):
        MultiTaskModel.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        MultiTaskModel.from_pretrained(tmp_path / "nowhere")
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "task_modules.safetensors").write_bytes(b"\x00" * 9)
    with pytest.raises(ModelError, match="not a readable Equipoise model"):
        MultiTaskModel.from_pretrained(tmp_path / "model")


def test_a_model_of_a_later_version(tmp_path, model):
    model.save_pretrained(tmp_path / "model")
    config = tmp_path / "model" / "equipoise.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "format_version": 99}))
    with pytest.raises(ModelError, match="format_version is 99, this Equipoise reads up to 2"):
        MultiTaskModel.from_pretrained(tmp_path / "model")


def test_weights_that_do_not_fit_are_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "model")
    weights = load_file(tmp_path / "model" / "model.safetensors")
    renamed = {f"foo.{key}": value for key, value in weights.items()}
    save_file(renamed, tmp_path / "model" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"holds no weights for \d+ parts of BertModel"):
        load_backbone(str(tmp_path / "model"))


def test_a_model_without_its_tokenizer_is_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    with pytest.raises(ModelError, match=r"tokenizer of .* knows no words|cannot be loaded"):
        load_backbone(str(tmp_path / "model"))


def test_positions_behind_the_padding_index_do_not_count(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    backbone = RobertaModel(RobertaConfig(vocab_size=400, max_position_embeddings=34, **shape), add_pooling_layer=False)
    with pytest.raises(ModelError, match="reads at most 32 tokens"):
        MultiTaskModel(backbone, tokenizer, TASKS, max_length=33)
    model = MultiTaskModel(backbone, tokenizer, TASKS, max_length=32)
    tokens = torch.full((1, 32), 7)
    assert model({"input_ids": tokens, "attention_mask": torch.ones_like(tokens)})["score"].shape == (1,)


def decoder_folder(folder, tiny_model, **special_tokens):
    """A random Llama, and a tokenizer with these special tokens only."""
    words = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    LlamaModel(LlamaConfig(vocab_size=words.get_vocab_size(), **shape)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=words, **special_tokens).save_pretrained(folder)
    return str(folder)


def test_a_decoder_without_a_padding_token_pads_with_its_end(tiny_model, tmp_path):
    _, tokenizer = load_backbone(decoder_folder(tmp_path, tiny_model, unk_token="[UNK]", eos_token="[SEP]"))
    assert tokenizer.pad_token == "[SEP]"
    batch = tokenizer(["good", "good film"], padding=True)
    assert [row.count(0) for row in batch["attention_mask"]] == [1, 0]


def test_a_decoder_without_an_end_pads_with_its_unknown_token(tiny_model, tmp_path):
    _, tokenizer = load_backbone(decoder_folder(tmp_path, tiny_model, unk_token="[UNK]"))
    assert tokenizer.pad_token == "[UNK]"


def test_a_decoder_that_cannot_pad(tiny_model, tmp_path):
    with pytest.raises(ModelError, match=r"no padding, end or unknown token.* pad_token in its tokenizer_config.json"):
        load_backbone(decoder_folder(tmp_path, tiny_model))


def test_a_misspelt_starter_is_answered_at_once():
    with pytest.raises(ModelError, match=r"there is no model 'minlm'. Did you mean 'minilm'"):
        load_backbone("minlm")


def test_a_full_disk_while_saving(model, tmp_path):
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit[1]))
        with pytest.raises(ModelError, match="the model cannot be written"):
            model.save_pretrained(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_not_replaced(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="holds other files"):
        model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    model.save_pretrained(tmp_path / "model")
    model.save_pretrained(tmp_path / "model")


def test_a_model_without_its_backbone_is_not_looked_for_elsewhere(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("m")
    shutil.rmtree("m/backbone")
    with pytest.raises(ModelError, match=r"m/backbone/.*found no such file"):
        MultiTaskModel.from_pretrained("m")
