"""Calibration of outputs: how sure a model is, or what unit it answers in, no longer counts."""

import pytest
import torch

from equipoise.kinds import Classification, Multilabel, Ordinal, Regression, make_objective

COMMON = ("s", "text", None, "label")
CLASSES = ("a", "b", "c")
TASKS = {
    "classification": Classification("c", *COMMON, "macro_f1", CLASSES),
    "ordinal": Ordinal("o", *COMMON, "qwk", CLASSES),
    "multilabel": Multilabel("m", *COMMON, "micro_f1", CLASSES),
    "regression": Regression("r", *COMMON, "pearson", mean=1.0, std=2.0),
}


def made_up(kind):
    """Outputs that know something of the targets, and the targets."""
    draw = torch.Generator().manual_seed(0)
    if kind == "regression":
        outputs = torch.randn(60, generator=draw)
        return outputs, 1 + 2 * (outputs + torch.randn(60, generator=draw))
    if kind == "multilabel":
        targets = (torch.rand(60, 3, generator=draw) < 0.5).float()
        return 2 * targets - 1 + torch.randn(60, 3, generator=draw), targets
    targets = torch.arange(60) % 3
    told = torch.eye(3)[targets] if kind == "classification" else (targets[:, None] > torch.arange(2)).float() - 0.5
    return told + torch.randn(60, told.shape[1], generator=draw), targets


@pytest.mark.parametrize("kind", TASKS)
def test_how_sure_a_model_is_does_not_count(kind):
    objective, (outputs, targets) = make_objective(TASKS[kind]), made_up(kind)
    assert objective.calibrates
    means = []
    for scale in (0.5, 1.0, 5.0):
        losses = objective.loss(objective.calibrate(scale * outputs, targets), targets)
        assert losses.mean() <= objective.loss(scale * outputs, targets).mean()
        means.append(float(losses.mean()))
    assert means == pytest.approx([means[0]] * 3, rel=1e-3)


def test_scores_that_fall_with_the_label_stay_as_they_are():
    objective, (outputs, targets) = make_objective(TASKS["regression"]), made_up("regression")
    torch.testing.assert_close(objective.calibrate(-outputs, targets), -outputs)
