"""What `check` passes can be trained and predicts, whatever the architecture; else one message says why."""

import json

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import equipoise
from architectures import DECODERS, ENCODER_DECODERS, ENCODERS, save_architecture
from equipoise.config import make_config
from equipoise.errors import ModelError
from equipoise.modeling import load_backbone, longest_input
from equipoise.training import check, train


def make_run(folder, model, **changes):
    """A run of two steps on a handful of rows; decoders are asked, too."""
    texts = [f"the film {number} was {'good' if number % 2 else 'bad'} and the plot slow" for number in range(30)]
    texts[7] = "the plot and the actor were good " * 20
    rows = [{"text": text, "label": "ny"[number % 2], "sum": "so good"} for number, text in enumerate(texts)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    tasks = {"read": {"source": "s", "kind": "classification", "label": "label"}}
    if model.name in DECODERS:
        tasks |= {
            "asked": {**tasks["read"], "format": "prompt"},
            "written": {"source": "s", "kind": "generation", "label": "sum", "max_new_tokens": 6},
        }
    return make_config(
        {
            "model": str(model),
            "max_length": 96,
            "prompt": {"chat": False},
            "sources": {"s": {"path": str(folder / "rows.jsonl")}},
            "tasks": tasks,
            "train": {"max_steps": 2, "evaluations": 1, "batch_size": 4},
            "evaluation": {"bootstrap": 100},
            "output": str(folder / "run"),
            **changes,
        }
    )


@pytest.fixture
def save(tmp_path, tiny_model, tiny_llm):
    """Write a model of an architecture into a folder of that name."""
    return lambda name: save_architecture(name, tiny_llm if name in DECODERS else tiny_model, tmp_path / name)


@pytest.mark.parametrize("name", [*ENCODERS, *DECODERS])
def test_every_architecture_trains_and_predicts(tmp_path, save, name):
    """`train` begins with the step that `check` takes."""
    train(make_run(tmp_path, save(name)))
    answers = equipoise.load(tmp_path / "run", device="cpu").predict(["a good film", "bad " * 300])
    for answer in answers:
        assert answer["read"]["probabilities"]["y"] + answer["read"]["probabilities"]["n"] == pytest.approx(1, abs=1e-5)
        assert len(answer) == (4 if name in DECODERS else 2)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("squeezebert", ["lora", "gradient_checkpointing"]),
        ("xlnet", ["lora", "gradient_checkpointing"]),
        ("mamba", ["lora"]),
        ("bloom", []),
        ("gemma2", []),
    ],
)
def test_adapters_and_what_saves_memory(tmp_path, save, name, refused):
    """Each is tried in a step, or refused in one message."""
    model = save(name)
    options = {"lora": {"lora": {"rank": 2}}} | {
        key: {"train": {"max_steps": 2, key: value}}
        for key, value in (("freeze_layers", 1), ("gradient_checkpointing", True))
    }
    for key, changes in options.items():
        if key not in refused:
            check(make_run(tmp_path, model, **changes))
            continue
        with pytest.raises(ModelError, match=f"{key}: .*; ") as caught:
            check(make_run(tmp_path, model, **changes))
        assert len(str(caught.value)) <= 500


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_is_refused_by_name(tmp_path, save, name):
    for act in (check, train):
        with pytest.raises(ModelError, match=f"is an encoder-decoder \\({name}\\), which is not supported; choose"):
            act(make_run(tmp_path, save(name)))
    assert not (tmp_path / "run").exists()


def test_more_tokens_than_embeddings(tmp_path, save):
    model = save("bert")
    tokenizer = AutoTokenizer.from_pretrained(model)
    known = len(tokenizer)
    tokenizer.add_tokens(["<user>", "<never>"])
    tokenizer.save_pretrained(model)
    run = make_run(tmp_path, model)
    # Nothing is wrong as long as no text has one.
    check(run)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(rows.read_text().replace("film 21 was", "film 21 <user> was"))
    for act in (check, train):
        with pytest.raises(ModelError) as caught:
            act(run)
        message = str(caught.value)
        assert f"has {known + 2} tokens, but the embeddings of BertModel (bert) have {known} rows" in message
        assert f"'<user>' is token {known}" in message
        assert f"resize_token_embeddings({known + 2})" in message
    rows.write_text(rows.read_text().replace("<user>", ""))
    train(run)
    with pytest.raises(ModelError, match="'<never>' is token"):
        equipoise.load(tmp_path / "run", device="cpu").predict("a <never> seen film")


def test_a_padding_token_without_embedding(tmp_path, save):
    model = save("gpt2")
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(model)
    with pytest.raises(ModelError, match="'<pad>' is token"):
        check(make_run(tmp_path, model))


def test_positions_that_the_configuration_does_not_tell(tmp_path, save, monkeypatch):
    """The longest row of the data is tried."""
    monkeypatch.setattr("equipoise.modeling.model.longest_input", lambda backbone: None)
    folder = save("bert")
    settings = json.loads((folder / "config.json").read_text())
    model = AutoModel.from_pretrained(folder)
    model.embeddings.position_embeddings = torch.nn.Embedding(64, 32)
    model.embeddings.register_buffer("position_ids", torch.arange(64)[None], persistent=False)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({**settings, "max_position_embeddings": 64}))
    check(make_run(tmp_path, folder, max_length=64))
    with pytest.raises(ModelError, match="make max_length smaller"):
        check(make_run(tmp_path, folder, max_length=96))


def test_what_cannot_be_asked_after_training_is_said_before(tmp_path, save):
    run = make_run(tmp_path, save("xlnet"), evaluation={"bootstrap": 100, "baselines": ["zero_shot"]})
    for act in (check, train):
        with pytest.raises(ModelError, match=r"XLNetModel \(xlnet\) reads a text in both directions"):
            act(run)


@pytest.mark.parametrize("written", [-1, 0, None, 10**30, 1e30, "many"])
def test_no_longest_input_has_many_spellings(tmp_path, save, written):
    backbone, _ = load_backbone(str(save("bert")))
    assert longest_input(backbone) == 512
    # Past the checks of transformers, which not all architectures have.
    backbone.config.__dict__["max_position_embeddings"] = written
    assert longest_input(backbone) is None


@pytest.mark.parametrize("failure", [IndexError("out\nin self"), TypeError("no 'x'"), ValueError("y" * 900)])
def test_a_step_that_fails_is_one_message(tmp_path, save, monkeypatch, failure):
    def fail(*args, **kwargs):
        raise failure

    run = make_run(tmp_path, save("bert"))
    monkeypatch.setattr("transformers.models.bert.modeling_bert.BertEncoder.forward", fail)
    for act in (check, train):
        with pytest.raises(ModelError) as caught:
            act(run)
        message = str(caught.value)
        assert "(bert, BertModel) cannot be used as the run file says; a training step on two rows ended in" in message
        assert f"{type(failure).__name__}: {str(failure).splitlines()[0][:80]}" in message
        assert "Choose another model" in message
        assert len(message) <= 500
        assert "\n" not in message
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_names_its_task(tmp_path, save):
    folder = save("bert")
    model = AutoModel.from_pretrained(folder)
    model.encoder.layer[0].output.dense.bias.data[0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="task 'read': found nan as its loss"):
        check(make_run(tmp_path, folder))
