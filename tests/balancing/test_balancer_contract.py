import pytest
import torch

from equipoise.balancing import (
    Balancer,
    DynamicAdaptiveLoss,
    EqualWeights,
    NonFiniteLoss,
    StaticWeights,
)
from equipoise.errors import EquipoiseError


class _ByLoss(Balancer):
    """Weigh a task by its loss, which makes the weights depend on every input."""

    def compute_weights(self, losses, gradients, tasks):
        return losses


def test_equal_weights_are_the_plain_sum_of_means():
    balance = EqualWeights(["a", "b"])
    scalar = balance({"a": torch.tensor([1.0, 2.0, 6.0]), "b": torch.tensor([0.5])})
    assert scalar.item() == 3.5
    assert balance.weights == {"a": 1.0, "b": 1.0}
    assert balance.losses == {"a": 3.0, "b": 0.5}


def test_static_weights_keep_their_ratio_among_the_tasks_present():
    balance = StaticWeights(["a", "b", "c"], weights={"a": 1, "b": 1000.0, "c": 3})
    losses = {"a": torch.tensor([1.0]), "c": torch.tensor([2.0])}
    assert balance(losses).item() == 0.5 * 1.0 + 1.5 * 2.0
    assert balance.weights == {"a": 0.5, "b": 0.0, "c": 1.5}
    balance({"a": torch.tensor([1.0]), "b": torch.tensor([1.0])})
    assert balance.weights["b"] / balance.weights["a"] == pytest.approx(1000)


def test_weights_are_normalized_and_clipped():
    losses = {"a": torch.tensor(1.0), "b": torch.tensor(999.0)}
    for clip, expected in (((0.0, 100.0), [0.002, 1.998]), ((0.01, 100.0), [0.01, 1.99])):
        balance = _ByLoss(["a", "b"], clip=clip)
        balance(losses)
        assert list(balance.weights.values()) == pytest.approx(expected)


def test_scalars_and_per_example_losses_mix():
    balance = EqualWeights({"a": "regression", "b": "generation"})
    assert balance({"a": torch.tensor([1.0, 3.0]), "b": torch.tensor(4.0)}).item() == 6.0


def test_losses_are_the_plain_means_when_examples_are_weighted():
    balance = DynamicAdaptiveLoss({"a": "classification"}, task_weights=False, example_weights=True, beta=0.5)
    entry = torch.tensor([1.0, 1.0, 1.0, 5.0])
    scalar = balance({"a": entry}, targets={"a": torch.tensor([0, 0, 0, 1])})
    assert balance.losses == {"a": 2.0}
    assert scalar.item() == pytest.approx((3 * 16 / 19 + 5 * 28 / 19) / 4)


def test_half_precision_losses_are_summed_in_float32():
    scalar = EqualWeights(["a"])({"a": torch.ones(3, dtype=torch.bfloat16)})
    assert scalar.dtype == torch.float32


def test_autocast_changes_neither_weights_nor_scalar():
    outcomes = []
    for enabled in (False, True):
        random = torch.Generator().manual_seed(0)
        h = torch.randn(4, 3, generator=random).requires_grad_()
        losses = {"a": (h.sum(1) - 1).square(), "b": h[:, 0].exp()}
        balance = DynamicAdaptiveLoss({"a": "regression", "b": "classification"}, example_weights=True)
        targets = {"a": torch.randn(4, generator=random), "b": torch.tensor([0, 0, 0, 1])}
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            outcomes.append((balance(losses, features=h, targets=targets).item(), balance.weights))
    assert outcomes[0] == outcomes[1]


def test_a_batch_without_any_label_still_reaches_the_modules():
    module = torch.ones(3, requires_grad=True)
    balance = DynamicAdaptiveLoss(["a", "b"])
    balance({"a": module[:0]}).backward()
    assert balance.weights == {"a": 0.0, "b": 0.0}
    assert module.grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_non_finite_loss_names_its_task(bad):
    with pytest.raises(NonFiniteLoss, match="loss of task 'b'") as caught:
        EqualWeights(["a", "b"])({"a": torch.ones(2), "b": torch.tensor([1.0, bad])})
    assert isinstance(caught.value, EquipoiseError)


def test_a_non_finite_gradient_names_its_task():
    h = torch.zeros(2, 2, requires_grad=True)
    with pytest.raises(NonFiniteLoss, match="gradient of task 'b'"):
        DynamicAdaptiveLoss(["a", "b"])({"a": h.sum(1) + 1, "b": h.sum(1).sqrt()}, features=h)


def test_a_rule_that_returns_nonsense_is_answered():
    class Broken(Balancer):
        def compute_weights(self, losses, gradients, tasks):
            return losses / 0

    with pytest.raises(ValueError, match=r"Broken\.compute_weights returned"):
        Broken(["a"])({"a": torch.ones(2)})


@pytest.mark.parametrize("argument", ["losses", "targets", "rows", "counts"])
def test_an_unknown_task_is_answered_with_the_closest(argument):
    arguments = {"losses": {"polarity": torch.ones(2)}}
    arguments[argument] = {"polarty": torch.ones(2)}
    with pytest.raises(ValueError, match=rf"`{argument}` has an unknown task 'polarty'. Did you mean 'polarity'"):
        EqualWeights(["polarity"])(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"losses": {}}, "`losses` is empty"),
        ({"losses": {"a": torch.ones(2, 3)}}, r"shape \(2, 3\); expected one loss per labeled example"),
        ({"targets": {"a": torch.ones(3)}}, r"targets\['a'\] has shape \(3,\)"),
        ({"rows": {"a": torch.arange(3)}}, r"rows\['a'\] has shape \(3,\)"),
        ({"rows": {"a": torch.ones(2)}}, r"rows\['a'\] must be indices"),
        ({"counts": {"a": 1}}, r"counts\['a'\] is 1, but this micro-batch alone has 2"),
        ({"counts": {}}, r"counts\['a'\] is 0"),
    ],
)
def test_what_does_not_fit_is_answered(arguments, message):
    with pytest.raises(ValueError, match=message):
        EqualWeights(["a"])(**{"losses": {"a": torch.ones(2)}} | arguments)


@pytest.mark.parametrize("tasks", [[], {}, "score", ["a", "a"]])
def test_tasks_must_be_different_names(tasks):
    with pytest.raises(ValueError, match="different names"):
        EqualWeights(tasks)


@pytest.mark.parametrize("clip", [(0.5,), (2.0, 3.0), (-1.0, 2.0), "ab", None, (0.1, float("nan"))])
def test_a_bad_clip_is_answered(clip):
    with pytest.raises(ValueError, match="`clip` must be"):
        DynamicAdaptiveLoss(["a"], clip=clip)


def test_features_are_needed_only_by_rules_that_use_gradients():
    losses = {"a": torch.ones(2, requires_grad=True)}
    with pytest.raises(ValueError, match="This balancer needs gradients: pass `features=`"):
        DynamicAdaptiveLoss(["a"])(losses)
    assert DynamicAdaptiveLoss(["a"], task_weights=False)(losses).item() == 1.0
