import numpy as np
import pytest
import torch
from torch.nn import functional as F

from equipoise.errors import ModelError
from equipoise.kinds import Generation, Multilabel
from equipoise.modeling import MultiTaskModel, Predictor, load, load_backbone

EMOTIONS = Multilabel(
    "emotions", "s", "text", None, "label", "macro_f1", ("joy", "fear", "fun"), thresholds=(0.0, 1.0, 0.0)
)


@pytest.fixture(scope="module")
def model(tiny_model):
    torch.manual_seed(0)
    return MultiTaskModel(*load_backbone(str(tiny_model)), {"emotions": EMOTIONS}, max_length=32).eval()


def test_the_loss_is_binary_cross_entropy_averaged_over_labels(model):
    outputs = torch.tensor([[2.0, -1.0, 0.0], [0.5, 0.0, -3.0]])
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    losses = model.losses({"emotions": outputs}, {"emotions": targets})["emotions"]
    probabilities = outputs.sigmoid()
    expected = -(targets * probabilities.log() + (1 - targets) * (1 - probabilities).log()).mean(dim=1)
    torch.testing.assert_close(losses, expected)
    assert losses.sum() == pytest.approx(F.binary_cross_entropy(probabilities, targets).item() * 2)


def test_a_batch_without_labels_has_no_loss_and_a_graph(model):
    inputs = model.tokenizer(["good film"], return_tensors="pt")
    outputs = model(dict(inputs), {})
    losses = model.losses(outputs, {"emotions": torch.empty(0, 3)})["emotions"]
    assert losses.shape == (0,)
    losses.sum().backward()


def test_predictions_are_probabilities_and_answers_go_by_thresholds(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    for predictor in (Predictor(model), load(tmp_path)):
        (answer,) = predictor.predict(["good film"])
        assert answer["emotions"]["labels"] == ["joy", "fun"]
        probabilities = answer["emotions"]["probabilities"]
        assert list(probabilities) == ["joy", "fear", "fun"]
        assert all(0 < value < 1 for value in probabilities.values())
        logits = model(dict(model.tokenizer(["good film"], return_tensors="pt")))["emotions"]
        np.testing.assert_allclose(list(probabilities.values()), logits[0].sigmoid().tolist(), rtol=1e-5)


def test_an_encoder_cannot_generate(tiny_model):
    title = Generation("title", "s", "text", None, "title", "rouge_l")
    with pytest.raises(ModelError) as caught:
        MultiTaskModel(*load_backbone(str(tiny_model)), {"title": title}, max_length=32)
    assert str(caught.value) == (
        "tasks.title: it prompts a language model (generation, format: prompt), but the backbone is no decoder "
        "(found BertModel); choose one, such as smollm2-135m."
    )
