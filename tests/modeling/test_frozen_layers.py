"""Frozen layers are computed once a row, and nothing else changes."""

import numpy as np
import pytest
import torch

from equipoise.errors import ModelError
from equipoise.modeling import FrozenLayers, MultiTaskModel, add_adapter, freeze_layers, load_backbone
from equipoise.modeling.adapters import load_adapter
from equipoise.modeling.backbone import find_layers
from prompted import TEXTS, encode, make_batch, make_model, make_tasks, predict, run_batch

PLENTY = 1.0
LABELS = {"polarity": [0, 1, 2, 0], "title": ["so", "bad", "x", "y"]}


@pytest.fixture(params=["asked", "modules", "encoder"])
def model(request, tiny_llm, tiny_model):
    """A model whose first layer of two is frozen, in training mode, without dropout above it."""
    if request.param == "encoder":
        tasks = {name: task for name, task in make_tasks(polarity="head").items() if name == "polarity"}
        model = make_model(tiny_model, tasks, 96)
    else:
        formats = {} if request.param == "asked" else {"polarity": "head", "intensity": "head"}
        model = make_model(tiny_llm, make_tasks(**formats), pooling="mean")
    freeze_layers(model.backbone, 1)
    model.train()
    frozen = find_layers(model.backbone, 1)[1][0]
    kept = {id(part) for part in frozen.modules()} | {
        id(part) for part in model.backbone.get_input_embeddings().modules()
    }
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout) and id(part) not in kept:
            part.p = 0.0
    return model


def make_rows(model: MultiTaskModel, texts=TEXTS):
    return encode(
        model, texts, **{name: values[: len(texts)] for name, values in LABELS.items() if name in model.tasks}
    )


def count_rows(model):
    """Count the rows that go through the frozen layer."""
    seen = []
    layer = find_layers(model.backbone, 1)[1][0]
    norm = next(part for part in layer.modules() if "norm" in type(part).__name__.lower())
    norm.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    return seen


def gradients(model, batch):
    losses = model.losses(run_batch(model, batch), batch["targets"])
    sum(loss.sum() for loss in losses.values()).backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def test_gradients_stay_the_same_and_rows_are_computed_once(model):
    batch = make_batch(model, make_rows(model))
    frozen = find_layers(model.backbone, 1)[1][0]
    for part in (frozen, model.backbone.get_input_embeddings()):
        part.eval()
    for part in model.backbone.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    expected = gradients(model, batch)
    seen = count_rows(model)
    with FrozenLayers(model, 1, PLENTY).cached():
        for _ in range(3):
            found = gradients(model, batch)
            assert found.keys() == expected.keys()
            for name, gradient in expected.items():
                torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    assert set(seen) == {len(TEXTS)}
    once = len(seen)
    gradients(model, batch)
    assert len(seen) == 2 * once, "afterwards all is as before"


def test_rows_are_known_in_another_batch_and_width(model):
    model.eval()
    rows = make_rows(model)
    alone = [run_batch(model, make_batch(model, rows.select([row]))) for row in range(len(rows))]
    seen = count_rows(model)
    with FrozenLayers(model, 1, PLENTY).cached(), torch.no_grad():
        run_batch(model, make_batch(model, rows.select([1, 3])))
        run_batch(model, make_batch(model, rows))
        assert sum(seen) == len(rows)
        run_batch(model, make_batch(model, rows.select([3, 0, 1])))
        for row, expected in enumerate(alone):
            found = run_batch(model, make_batch(model, rows.select([row])))
            for task, values in expected.items():
                torch.testing.assert_close(found[task], values, atol=1e-5, rtol=1e-4)
    assert sum(seen) == len(rows)


def test_frozen_layers_have_no_dropout(tiny_model):
    tasks = {name: task for name, task in make_tasks(polarity="head").items() if name == "polarity"}
    model = make_model(tiny_model, tasks, 96).train()
    layer = find_layers(model.backbone, 2)[1]
    for part in layer[1].modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    for part in model.head("polarity").modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    batch = make_batch(model, encode(model, TEXTS, polarity=[0, 1, 2, 0]))
    drawn = [run_batch(model, batch)["polarity"] for _ in range(2)]
    assert not torch.equal(*drawn)
    # Without room the rows are computed each time.
    with FrozenLayers(model, 1, 0).cached():
        first, second = (run_batch(model, batch)["polarity"] for _ in range(2))
    assert model.training
    assert torch.equal(first, second)
    assert torch.equal(first, run_batch(model.eval(), batch)["polarity"])


def test_without_room_rows_are_computed_again(model):
    batch = make_batch(model, make_rows(model))
    seen = count_rows(model)
    states = model.backbone.config.hidden_size * 4
    lengths = batch["lengths"].tolist()
    with FrozenLayers(model, 1, lengths[0] * states / 2**30).cached(), torch.no_grad():
        run_batch(model, batch)
        once = len(seen)
        run_batch(model, batch)
    assert seen == [len(TEXTS)] * once + [len(TEXTS) - 1] * once


def test_precisions_are_kept_apart(model):
    batch = make_batch(model, make_rows(model))
    model.eval()
    expected = run_batch(model, batch)
    with FrozenLayers(model, 1, PLENTY).cached(), torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            rough = run_batch(model, batch)
        found = run_batch(model, batch)
    for task, values in expected.items():
        torch.testing.assert_close(found[task], values, atol=1e-5, rtol=1e-4)
    assert any(not torch.equal(rough[task].float(), found[task]) for task in found)


def test_texts_are_written_as_before(tiny_llm):
    model = make_model(tiny_llm, make_tasks())
    rows = encode(model, TEXTS)
    expected = predict(model, rows, "title", "polarity")
    with FrozenLayers(model, 1, PLENTY).cached():
        found = predict(model, rows, "title", "polarity")
    assert found["title"].tolist() == expected["title"].tolist()
    np.testing.assert_allclose(found["polarity"], expected["polarity"], atol=1e-6)


def test_an_adapter_leaves_the_lowest_layers_out(tiny_llm, tiny_model, tmp_path):
    for folder in (tiny_llm, tiny_model):
        backbone, _ = load_backbone(str(folder))
        targets = None if folder == tiny_llm else ["query"]
        add_adapter(backbone, targets=targets, above=1)
        trained = [name for name, parameter in backbone.named_parameters() if parameter.requires_grad]
        assert trained
        assert all(".1." in name for name in (f".{name}" for name in trained))
        backbone.save_pretrained(tmp_path / folder.name)
        again, _ = load_backbone(str(folder))
        load_adapter(again, tmp_path / folder.name)
        assert {name for name, _ in again.named_parameters()} == {name for name, _ in backbone.named_parameters()}


def test_something_must_be_left_to_adapt(tiny_llm):
    backbone, _ = load_backbone(str(tiny_llm))
    with pytest.raises(ModelError, match="found more than the 2 layers of "):
        add_adapter(backbone, above=2)
