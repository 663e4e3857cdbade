"""Balancers where model and losses are on another device than the CPU: the same weights, nothing mixed."""

import pytest
import torch

from equipoise.balancing import BALANCERS, make_balancer

TASKS = {"score": "regression", "polarity": "classification"}
SETTINGS = {
    **{name: (name, {}) for name in sorted(BALANCERS)},
    "static": ("static", {"weights": {"score": 1.0, "polarity": 3.0}}),
    "dao at features": ("dao", {"where": "features"}),
    "dao at parameters": ("dao", {"where": "parameters"}),
    "dao with example weights": ("dao", {"example_weights": True}),
    "dao with alignment": ("dao", {"alignment": 0.1}),
    "nash_mtl": ("nash_mtl", {"optim_niter": 1}),  # it is slow
}


def course(name, accumulated, device=None):
    """Train for three steps of one batch, or of two and a half; return the weights and the last gradients."""
    rule, options = SETTINGS[name]
    balancer = make_balancer(rule, TASKS, options, seed=0)
    random = torch.Generator().manual_seed(0)
    backbone = torch.nn.Linear(4, 6)
    heads = torch.nn.ModuleDict({"score": torch.nn.Linear(6, 1), "polarity": torch.nn.Linear(6, 3)})
    for parameter in [*backbone.parameters(), *heads.parameters()]:
        torch.nn.init.normal_(parameter, generator=random)
    data = torch.randn(12, 4, generator=random)
    targets = {"score": data.sum(1), "polarity": (data[:, 0] > 0).long()}
    if device is not None:
        backbone, heads, balancer = backbone.to(device), heads.to(device), balancer.to(device)
        data, targets = data.to(device), {task: values.to(device) for task, values in targets.items()}
    parameters = [*backbone.parameters(), *heads.parameters()]
    weights = []

    def forward(part, labeled):
        features = backbone(data[part]).tanh()
        losses = {
            "score": (heads["score"](features).squeeze(1) - targets["score"][part]).square(),
            "polarity": torch.nn.functional.cross_entropy(
                heads["polarity"](features), targets["polarity"][part], reduction="none"
            ),
        }
        return features, {task: losses[task] if task in labeled else losses[task][:0] for task in TASKS}

    for step in range(3):
        labeled = TASKS if step != 1 else ["polarity"]
        parts = [slice(0, 6), slice(6, 12)] if accumulated else [slice(0, 12)]
        for part in parts:
            features, losses = forward(part, labeled)
            scalar = balancer(
                losses,
                features=features,
                parameters=backbone.parameters(),
                targets={task: targets[task][part][: len(losses[task])] for task in TASKS},
                counts=dict.fromkeys(labeled, 12) if accumulated else None,
            )
            scalar.backward()
        balancer.after_step(lambda labeled=labeled: forward(slice(0, 12), labeled)[1])
        balancer.on_epoch_end()
        weights.append(balancer.weights)
        gradients = [parameter.grad for parameter in parameters]
        with torch.no_grad():
            for parameter in parameters:
                parameter -= 0.01 * parameter.grad
                parameter.grad = None
    return weights, gradients


@pytest.mark.parametrize(
    ("name", "accumulated"),
    [*((name, False) for name in SETTINGS), *((name, True) for name in ("dao", "dao at parameters", "db_mtl", "modo"))],
)
def test_weights_and_gradients_are_those_of_the_cpu(name, accumulated, elsewhere):
    weights, gradients = course(name, accumulated)
    with elsewhere() as device:
        others, found = course(name, accumulated, device)
        assert all(gradient.device == device for gradient in found)
        found = [gradient.cpu() for gradient in found]
    for one, other in zip(weights, others, strict=True):
        assert other == pytest.approx(one, rel=1e-4)
    for one, other in zip(gradients, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)
