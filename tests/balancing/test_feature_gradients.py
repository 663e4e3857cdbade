import pytest
import torch
from torch import nn

from equipoise.balancing.feature_gradients import (
    feature_gradients,
    gramian,
    map_gradients,
    map_gramian,
)


def _problem(shape, *, tasks=3, dtype=torch.float64, seed=0):
    """Features, and tasks that read other rows of them, through an explicit map in the place of the virtual one."""
    random = torch.Generator().manual_seed(seed)
    width = shape[-1]
    below = torch.randn(*shape, generator=random, dtype=dtype).requires_grad_()
    explicit = nn.Linear(width, width, dtype=dtype)
    nn.init.eye_(explicit.weight)
    nn.init.zeros_(explicit.bias)
    features = below.tanh() * 1.0
    mapped = explicit(features)
    losses = []
    for task in range(tasks):
        head = torch.randn(width, generator=random, dtype=dtype)
        losses.append((mapped[task:] @ head).square().mean() * 10.0**task)
    return features, mapped, explicit, losses


@pytest.mark.parametrize("shape", [(4, 16), (40, 6), (3, 5, 64), (8, 5, 6)])
def test_equals_the_gradient_of_an_explicit_linear_layer(shape):
    features, mapped, explicit, losses = _problem(shape)
    expected = []
    for loss in losses:
        weight, bias = torch.autograd.grad(loss, [explicit.weight, explicit.bias], retain_graph=True)
        expected.append(torch.cat([weight, bias[:, None]], dim=1))
    expected = torch.stack(expected)

    deltas = feature_gradients(losses, mapped)
    torch.testing.assert_close(map_gradients(deltas, features), expected)
    jacobian = expected.flatten(1)
    torch.testing.assert_close(map_gramian(deltas, features), jacobian @ jacobian.T)


def test_both_paths_are_equal_and_in_float64():
    features, mapped, _, losses = _problem((5, 64), dtype=torch.float32)
    deltas = feature_gradients(losses, mapped)
    few_rows, explicit = map_gramian(deltas, features), gramian(map_gradients(deltas, features))
    assert few_rows.dtype == explicit.dtype == torch.float64
    torch.testing.assert_close(few_rows, explicit, rtol=1e-5, atol=0)


def test_tokens_are_rows_and_padding_adds_nothing():
    tokens = torch.randn(2, 4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]], dtype=torch.float64)
    loss = (tokens * mask[..., None]).sum(1).square().mean()
    padded = map_gramian(feature_gradients([loss], tokens), tokens)
    kept = tokens[mask.bool()].detach().requires_grad_()
    short = torch.stack([kept[:3].sum(0), kept[3:].sum(0)]).square().mean()
    torch.testing.assert_close(padded, map_gramian(feature_gradients([short], kept), kept))


def test_tasks_without_common_rows_are_compared():
    rows = torch.eye(2, dtype=torch.float64).repeat(2, 1).requires_grad_()
    first, second = rows[:2].sum(), -rows[2:].sum()
    products = map_gramian(feature_gradients([first, second], rows), rows)
    # δ = (1, 1) on each of two rows: Σ_ij 2 (h_i·h_j + 1) = 2 (2 + 4) = 12, and the other task is its negative.
    assert products.tolist() == [[12.0, -12.0], [-12.0, 12.0]]


def test_a_loss_that_misses_the_features_has_zero_gradient():
    features = torch.ones(2, 3, requires_grad=True)
    other = torch.ones(1, requires_grad=True)
    deltas = feature_gradients([features.sum(), other.sum(), torch.tensor(1.0)], features)
    assert [bool(delta.any()) for delta in deltas] == [True, False, False]


def test_half_precision_features_are_multiplied_in_float32():
    features = torch.full((2, 4), 0.1, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        deltas = feature_gradients([features.float().square().sum()], features)
        gradients = map_gradients(deltas, features)
    assert gradients.dtype == torch.float32
    # Two rows of δ h = 2h²; in bfloat16 the product would be off by up to 0.4 %.
    assert gradients[0, 0, 0].item() == pytest.approx(2 * 2 * features[0, 0].item() ** 2, rel=1e-6)


def test_detached_or_unused_features_are_answered():
    features = torch.ones(2, 3)
    with pytest.raises(ValueError, match="has no gradient"):
        feature_gradients([torch.ones(1, requires_grad=True).sum()], features)
    with pytest.raises(ValueError, match="No loss depends on"):
        feature_gradients([torch.ones(1, requires_grad=True).sum()], features.requires_grad_())
