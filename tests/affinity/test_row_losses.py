"""Losses of single rows and their projected gradients, against torch and against the model's own losses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from corpus import run_data
from equipoise.affinity import MapProjection, measure_rows
from equipoise.config import make_config
from equipoise.data import load_table
from equipoise.modeling import evaluating, make_batch
from equipoise.training import prepare_run


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model):
    config = make_config(run_data(tmp_path_factory.mktemp("rows"), tiny_model))
    return prepare_run(config, load_table(config))


def test_the_projection_is_that_of_the_gradient_at_a_linear_map():
    projection = MapProjection(5, 3, 4, seed=1)
    features, target = torch.randn(6, 5), torch.randn(6, 5)
    weight, bias = torch.eye(5, requires_grad=True), torch.zeros(5, requires_grad=True)
    mapped = linear(features, weight, bias)
    losses = (mapped - target).pow(4).sum(1)
    (deltas,) = torch.autograd.grad(losses.sum(), mapped, retain_graph=True)
    owners = torch.tensor([0, 0, 1, 2, 2, 2])
    found = projection(deltas, features, owners, 3)
    for row in range(3):
        at_weight, at_bias = torch.autograd.grad(losses[owners == row].sum(), (weight, bias), retain_graph=True)
        whole = torch.cat([at_weight, at_bias[:, None]], dim=1)
        expected = projection._outer.T @ whole @ projection._inner
        torch.testing.assert_close(found[row], expected.flatten(), rtol=1e-4, atol=1e-4)


def test_the_projection_keeps_inner_products_on_average():
    torch.manual_seed(0)
    deltas, features = torch.randn(2, 12), torch.randn(2, 12)
    exact = float((deltas[0] @ deltas[1]) * (features[0] @ features[1] + 1))
    products = []
    for seed in range(400):
        one, other = MapProjection(12, 4, 6, seed)(deltas, features, torch.arange(2), 2)
        products.append(float(one @ other))
    error = np.std(products) / len(products) ** 0.5
    assert np.mean(products) == pytest.approx(exact, abs=4 * error)
    assert error < abs(exact)


def test_losses_are_those_of_the_model(run):
    rows = run.table.rows("towards", "dev")[::-1].copy()
    found = measure_rows(run, "dev", {"towards": rows})["towards"]
    items = run.rows["dev"].select(rows).to_list()
    with evaluating(run.model), torch.no_grad():
        outputs = run.model(*make_batch(run.model, items, {"towards": np.arange(len(rows))}))
        gold = torch.tensor([item["label:towards"] for item in items])
        expected = run.model.head("towards").loss(outputs["towards"], gold)
    np.testing.assert_allclose(found.losses, expected.numpy(), rtol=1e-4)
    assert found.gradients.shape == (len(rows), 0)


def test_gradients_do_not_depend_on_the_batch(run):
    rows = run.table.rows("intensity", "train")[:20]
    projection = MapProjection(32, 4, 4, seed=0)
    whole = measure_rows(run, "train", {"intensity": rows}, projection)["intensity"]
    train = run.config.train.model_copy(update={"eval_batch_size": 3})
    small = replace(run, config=run.config.model_copy(update={"train": train}))
    parts = measure_rows(small, "train", {"intensity": rows}, projection)["intensity"]
    np.testing.assert_allclose(whole.gradients, parts.gradients, rtol=1e-3, atol=1e-4)
    assert whole.gradients.std() > 0
    assert torch.is_grad_enabled()


def test_a_step_along_the_gradient_changes_the_loss_as_it_says(run):
    """δ [h; 1]ᵀ is the gradient at a map of the features: a small change of that map changes the loss by it."""
    rows = run.table.rows("intensity", "train")[:12]

    class Whole(MapProjection):
        def __init__(self):
            self._outer, self._inner, self.dimensions = torch.eye(32), torch.eye(33), 32 * 33

    before = measure_rows(run, "train", {"intensity": rows}, Whole())["intensity"]
    change = 1e-3 * torch.randn(32, 33, generator=torch.Generator().manual_seed(0))

    def shift(module, inputs, output):
        return output + linear(output, change[:, :-1], change[:, -1])

    hook = run.model.features.register_forward_hook(shift)
    try:
        after = measure_rows(run, "train", {"intensity": rows})["intensity"]
    finally:
        hook.remove()
    predicted = before.gradients @ change.flatten().double().numpy()
    np.testing.assert_allclose(after.losses - before.losses, predicted, rtol=0.05, atol=2e-4)
