"""The plug-in in a plain PyTorch loop, with nothing else of ours in it."""

import doctest
import importlib
import pkgutil

import pytest
import torch
from torch import nn

import equipoise.balancing
import equipoise.testing
from equipoise.balancing import DynamicAdaptiveLoss

MODULES = [
    module.name
    for package in (equipoise.balancing, equipoise.testing)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


def test_the_plugin_trains_two_tasks_that_label_different_rows():
    torch.manual_seed(0)
    backbone, score_head, polarity_head = nn.Linear(8, 16), nn.Linear(16, 1), nn.Linear(16, 3)
    parameters = [*backbone.parameters(), *score_head.parameters(), *polarity_head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=0.02)
    inputs = torch.randn(24, 8)
    y, k = 100 * inputs[:16, 0], (inputs[10:, 1] > 0).long()
    rows = {"score": torch.arange(16), "polarity": torch.arange(10, 24)}

    balance = DynamicAdaptiveLoss({"score": "regression", "polarity": "classification"}, example_weights=True)
    history = []
    for _ in range(150):
        h = backbone(inputs).tanh()
        mse_per_example = (score_head(h[rows["score"]]).squeeze(1) - y).square()
        ce_per_example = nn.functional.cross_entropy(polarity_head(h[rows["polarity"]]), k, reduction="none")
        loss = balance(
            {"score": mse_per_example, "polarity": ce_per_example},
            features=h,
            targets={"score": y, "polarity": k},
            rows=rows,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(balance.losses)
        assert sum(balance.weights.values()) == pytest.approx(2)
    assert history[-1]["polarity"] < 0.3 * history[0]["polarity"]
    assert history[-1]["score"] < history[0]["score"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
