"""The losses that keep a model's answers, each kind's by hand."""

import math

import pytest
import torch

from equipoise.kinds import Classification, Extraction, Multilabel, Ordinal, Regression, Triplets, make_objective

COMMON = ("t", "s", "text", None, "label")
THREE = ("a", "b", "c")


def divergence(theirs, ours, temperature=2.0):
    """T² Σ p log(p / q) of two lists of logits."""

    def soften(logits):
        powers = [math.exp(logit / temperature) for logit in logits]
        return [power / sum(powers) for power in powers]

    pairs = zip(soften(theirs), soften(ours), strict=True)
    return temperature**2 * sum(p * math.log(p / q) for p, q in pairs)


def distil(task, ours, theirs):
    objective = make_objective(task)
    ours, theirs = torch.tensor(ours), torch.tensor(theirs)
    assert objective.distillation_loss(theirs, theirs).abs().max() < 1e-6
    return objective.distillation_loss(ours, theirs).tolist()


def test_classes_and_tags_by_temperature():
    ours, theirs = [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0]], [[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    expected = pytest.approx([divergence(theirs[0], ours[0]), 0.0], abs=1e-6)
    assert distil(Classification(*COMMON, "macro_f1", THREE), ours, theirs) == expected
    assert distil(Extraction(*COMMON, "micro_f1", classes=("a",)), ours, theirs) == expected


def test_the_gradient_is_that_of_a_soft_cross_entropy():
    objective = make_objective(Classification(*COMMON, "macro_f1", THREE))
    ours, theirs = torch.tensor([[1.0, 0.0, -1.0]], requires_grad=True), torch.tensor([[0.0, 2.0, 0.0]])
    (found,) = torch.autograd.grad(objective.distillation_loss(ours, theirs).sum(), ours)
    torch.testing.assert_close(found, 2 * ((ours / 2).softmax(-1) - (theirs / 2).softmax(-1)))


def test_labels_each_by_itself():
    expected = (divergence([2.0, 0.0], [1.0, 0.0]) + divergence([-1.0, 0.0], [3.0, 0.0])) / 2
    task = Multilabel(*COMMON, "macro_f1", ("a", "b"), thresholds=(0.5, 0.5))
    assert distil(task, [[1.0, 3.0]], [[2.0, -1.0]]) == pytest.approx([expected])


def test_ranks_by_their_classes():
    def chain(first, second):
        above = 1 / (1 + math.exp(-first))
        top = above / (1 + math.exp(-second))
        return [math.log(share) for share in (1 - above, above - top, top)]

    expected = divergence(chain(0.5, -1.0), chain(-0.5, 2.0))
    assert distil(Ordinal(*COMMON, "qwk", THREE), [[-0.5, 2.0]], [[0.5, -1.0]]) == pytest.approx([expected], rel=1e-4)


def test_scores_by_squared_error_in_standard_deviations():
    task = Regression(*COMMON, "pearson", (-1.0, 1.0), mean=0.25, std=0.5)
    assert distil(task, [1.0, -1.0], [0.5, 1.0]) == pytest.approx([0.25, 4.0])


def test_cells_by_what_they_are_and_their_polarity_as_far_as_related():
    task = Triplets(*COMMON, "micro_f1", classes=("bad", "good"))
    what, old_what, polarity, old_polarity, side = (
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 3.0],
        [1.0, 0.0],
        [0.0, 1.0],
        5.0,
    )
    related = math.exp(3) / (3 + math.exp(3))
    expected = side * (divergence(old_what, what) + related * divergence(old_polarity, polarity))
    found = distil(task, [[*what, *polarity, 0.0, side]], [[*old_what, *old_polarity, 0.0, side]])
    assert found == pytest.approx([expected], rel=1e-4)
