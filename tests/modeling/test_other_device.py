"""Models on another device than the CPU: nothing is mixed, and the answers are those of the CPU."""

import datasets
import numpy as np
import pytest
import torch

from equipoise.balancing import make_balancer
from equipoise.modeling import FrozenLayers, Prefix, encode_texts, freeze_layers, infer_texts
from prompted import TEXTS, encode, make_batch, make_model, make_tasks, run_batch

DATA = datasets.Dataset.from_dict({"text": list(TEXTS), "pair": [None] * len(TEXTS)})
LABELS = {
    "polarity": [0, 1, 2, 0],
    "intensity": [0.5, -0.5, 0.0, 1.0],
    "emotions": [[1, 0], [0, 1], [0, 0], [1, 1]],
    "title": ["so", "bad", "x", "y"],
}
HEADS = {"polarity": "head", "intensity": "head", "emotions": "head"}


def build(kind, tiny_model, tiny_llm):
    if kind in ("prompted", "behind a prefix"):
        model = make_model(tiny_llm, make_tasks())
        model.prefix = Prefix(model.backbone, [1, 5, 6]) if kind == "behind a prefix" else None
        return model
    tasks = make_tasks(**HEADS)
    if kind == "heads of a decoder":
        return make_model(tiny_llm, tasks, pooling="mean")
    del tasks["title"]
    return make_model(tiny_model, tasks, 96, pooling="attention" if kind == "attention pooling" else "mean")


@pytest.mark.parametrize("kind", ["heads", "attention pooling", "heads of a decoder", "prompted", "behind a prefix"])
def test_answers_are_those_of_the_cpu(kind, tiny_model, tiny_llm, elsewhere):
    model = build(kind, tiny_model, tiny_llm)
    wanted = {name: np.arange(len(TEXTS)) for name in model.tasks}
    expected = infer_texts(model, DATA, wanted, 3)
    with elsewhere() as device:
        model.to(device)
        if model.prefix is not None:
            model.prefix = Prefix(model.backbone, model.prefix.tokens)
        found = infer_texts(model, DATA, wanted, 3)
    for name, values in expected.items():
        if values.dtype == object:
            assert found[name].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)


def step(model, batch, device="cpu"):
    """The gradients of a training step, and the balancer's weights."""
    batch = torch.utils._pytree.tree_map(
        lambda value: value.to(device) if isinstance(value, torch.Tensor) else value, batch
    )
    kept = []
    hook = model.features.register_forward_hook(lambda module, given, features: kept.append(features))
    outputs = run_batch(model, batch)
    hook.remove()
    losses = model.losses(outputs, batch["targets"])
    balancer = make_balancer("dao", {name: task.kind for name, task in model.tasks.items()}).to(device)
    balancer(losses, features=kept[-1], targets=batch["targets"], rows=batch["rows"]).backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    assert gradients
    assert all(gradient.device == torch.device(device) for gradient in gradients.values())
    gradients = {name: gradient.cpu().clone() for name, gradient in gradients.items()}
    model.zero_grad(set_to_none=True)
    return balancer.weights, gradients


def assert_equal_steps(one, other):
    assert other[0] == pytest.approx(one[0], rel=1e-3)
    for name, gradient in one[1].items():
        # A weight with two names, as tied embeddings, has become two.
        if name in other[1] and "embed" not in name:
            torch.testing.assert_close(other[1][name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", ["heads", "attention pooling", "heads of a decoder", "prompted"])
def test_a_training_step_is_that_of_the_cpu(kind, tiny_model, tiny_llm, elsewhere):
    model = build(kind, tiny_model, tiny_llm)
    batch = make_batch(model, encode(model, TEXTS, **{name: LABELS[name] for name in model.tasks}))
    expected = step(model, batch)
    with elsewhere() as device:
        found = step(model.to(device), batch, device)
    assert_equal_steps(expected, found)


@pytest.mark.parametrize("room", [1.0, 0.0, "one row"])
@pytest.mark.parametrize("kind", ["heads", "prompted"])
def test_frozen_rows_with_and_without_room(kind, room, tiny_model, tiny_llm, elsewhere):
    """Rows that are kept lie on the CPU, the others where the model is."""
    model = build(kind, tiny_model, tiny_llm)
    freeze_layers(model.backbone, 1)
    batch = make_batch(model, encode(model, TEXTS, **{name: LABELS[name] for name in model.tasks}))
    if room == "one row":
        room = int(batch["lengths"][0]) * model.backbone.config.hidden_size * 4 / 2**30
    expected = step(model, batch)
    with elsewhere() as device:
        model.to(device)
        with FrozenLayers(model, 1, room).cached():
            for _ in range(2):
                assert_equal_steps(expected, step(model, batch, device))


def test_features_for_probes(tiny_model, tiny_llm, elsewhere):
    model = build("heads", tiny_model, tiny_llm)
    expected = encode_texts(model, DATA, 3)
    with elsewhere() as device:
        np.testing.assert_allclose(encode_texts(model.to(device), DATA, 3), expected, rtol=1e-4, atol=1e-5)
