import math

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from equipoise.errors import ModelError
from equipoise.kinds import Classification, Regression
from equipoise.modeling import MultiTaskModel, Predictor, freeze_embeddings, load, load_backbone
from equipoise.modeling.bilstm import BiLstmModel, make_tokenizer
from equipoise.modeling.pooling import AttentionPooling

TEXTS = ["Good film :) a good plot", "a bad film, bad plot", "the price :)", "the food is bad", "food"]
TASKS = {
    "score": Regression("score", "s", "text", None, "score", "pearson"),
    "polarity": Classification("polarity", "s", "text", "aspect", "label", "macro_f1", ("bad", "good")),
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MultiTaskModel(*load_backbone("bilstm", TEXTS), TASKS, max_length=32).eval()
    torch.nn.init.normal_(model.features.pooling.query)
    return model


def encode(model, *texts, **options):
    return dict(model.tokenizer(list(texts), padding=True, return_tensors="pt", **options))


def test_padding_changes_nothing(model):
    texts = ["food", "a good film and a very bad plot :)", "the unseen"]
    inputs = encode(model, *texts)
    hidden = model.backbone(**inputs).last_hidden_state
    assert hidden.shape == (3, inputs["input_ids"].shape[1], model.backbone.config.hidden_size)
    together = model(inputs)
    longer = model({name: torch.nn.functional.pad(tensor, (0, 5)) for name, tensor in inputs.items()})
    for row, text in enumerate(texts):
        own = encode(model, text)
        alone = model.backbone(**own).last_hidden_state[0]
        torch.testing.assert_close(hidden[row, : len(alone)], alone, atol=1e-6, rtol=1e-5)
        assert not hidden[row, len(alone) :].any()
        for task, output in model(own).items():
            torch.testing.assert_close(together[task][row], output[0], atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(longer[task][row], output[0], atol=1e-6, rtol=1e-5)


def test_a_hidden_state_is_the_sum_of_both_directions(model):
    lstm, inputs = model.backbone.lstm, encode(model, "a good film")
    both, _ = lstm(model.backbone.embeddings(inputs["input_ids"]))
    torch.testing.assert_close(model.backbone(**inputs).last_hidden_state, both[..., :256] + both[..., 256:])


def test_attention_pooling_by_hand():
    pooling = AttentionPooling(2)
    hidden = torch.tensor([[[0.5, -1.0], [2.0, 0.3], [9.0, 9.0]]])
    mask = torch.tensor([[1, 1, 0]])
    # A query of zero: the mean of the tokens that count.
    torch.testing.assert_close(pooling(hidden, mask), torch.tensor([[math.tanh(1.25), math.tanh(-0.35)]]))
    with torch.no_grad():
        pooling.query.copy_(torch.tensor([1.0, -2.0]))
    first = math.exp(math.tanh(0.5) - 2 * math.tanh(-1.0))
    second = math.exp(math.tanh(2.0) - 2 * math.tanh(0.3))
    share = first / (first + second)
    expected = [math.tanh(share * 0.5 + (1 - share) * 2.0), math.tanh(share * -1.0 + (1 - share) * 0.3)]
    torch.testing.assert_close(pooling(hidden, mask), torch.tensor([expected]))


def test_saved_and_loaded_is_the_same(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    files = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert files == {".json", ".safetensors"}
    predictor = load(tmp_path / "model", "cpu")
    assert torch.equal(predictor.model.features.pooling.query, model.features.pooling.query)
    texts = ["A good film", "the bad food :)"]
    assert predictor.predict(texts, "price") == Predictor(model).predict(texts, "price")
    backbone = AutoModel.from_pretrained(tmp_path / "model" / "backbone")
    assert isinstance(backbone, BiLstmModel)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model" / "backbone")
    inputs = tokenizer(["A good film"], ["price"], return_tensors="pt")
    assert set(inputs) == {"input_ids", "attention_mask"}
    torch.testing.assert_close(
        backbone(**inputs).last_hidden_state, model.backbone(**inputs).last_hidden_state, atol=0, rtol=0
    )


def test_models_that_pool_by_the_mean_keep_their_format(model, tiny_model, tmp_path):
    """Only a pooling that learns is written; files from before it are read."""
    MultiTaskModel(*load_backbone(str(tiny_model)), TASKS, max_length=32).save_pretrained(tmp_path / "mean")
    model.save_pretrained(tmp_path / "attention")
    keys = {name: set(load_file(tmp_path / name / "task_modules.safetensors")) for name in ("mean", "attention")}
    assert keys["attention"] - keys["mean"] == {"pooling.query"}
    assert all(key.startswith("task_") for key in keys["mean"])


def test_the_vocabulary_is_what_stands_twice():
    tokenizer = make_tokenizer(TEXTS)
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    assert words == ["[PAD]", "[UNK]", "[SEP]", "bad", ":)", "a", "film", "food", "good", "plot", "the"]
    assert tokenizer.tokenize("GOOD film,the price :)") == ["good", "film", "[UNK]", "the", "[UNK]", ":)"]
    pair = tokenizer("a film", "the plot")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(pair) == ["a", "film", "[SEP]", "the", "plot"]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts():
    texts = [f"w{number} w{number} w{number % 7}" for number in range(300)]
    assert make_tokenizer(texts).get_vocab() == make_tokenizer(texts[::-1]).get_vocab()


def test_the_vocabulary_has_a_limit(monkeypatch):
    monkeypatch.setattr("equipoise.modeling.bilstm.MOST_WORDS", 2)
    assert set(make_tokenizer(TEXTS).get_vocab()) == {"[PAD]", "[UNK]", "[SEP]", "bad", ":)"}


@pytest.mark.parametrize("texts", [[], ["every word", "stands once"]])
def test_texts_without_a_vocabulary(texts):
    with pytest.raises(ModelError, match=rf"bilstm learns the words that stand 2 times .* none in {len(texts)} texts"):
        load_backbone("bilstm", texts)


def test_the_seed_decides_the_first_weights():
    def first_weights(seed):
        torch.manual_seed(seed)
        return load_backbone("bilstm", TEXTS)[0].state_dict()

    one, again, other = first_weights(0), first_weights(0), first_weights(1)
    assert all(torch.equal(tensor, again[name]) for name, tensor in one.items())
    assert not torch.equal(one["lstm.weight_hh_l0"], other["lstm.weight_hh_l0"])
    assert not torch.equal(one["embeddings.weight"], other["embeddings.weight"])


def test_every_parameter_is_trained_unless_frozen(model):
    outputs = model.train()(encode(model, "a good film", "bad"))
    (outputs["score"].sum() + outputs["polarity"].square().sum()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    freeze_embeddings(model.backbone)
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    assert frozen == ["backbone.embeddings.weight"]


def test_a_misspelt_name_is_answered():
    with pytest.raises(ModelError, match="Did you mean 'bilstm'"):
        load_backbone("bi-lstm")
