"""Heads that read views of the features: the same numbers, by fewer passes and one copy from the device."""

import pytest
import torch

import other_device
from equipoise.balancing import BALANCERS, DynamicAdaptiveLoss, EqualWeights, alignment_penalty, make_balancer
from equipoise.balancing.feature_gradients import feature_gradients
from equipoise.testing.batch import TASKS

SCORES = {"score": 10.0, "polarity": 1.0, "anger": 0.1}
OPTIONS = {"static": {"weights": dict.fromkeys(TASKS, 1.0)}}


class Model:
    """A backbone, and a head for each task, on other rows of 12; `balance` makes a step."""

    def __init__(self, views, device="cpu"):
        random = torch.Generator().manual_seed(0)
        drawn = [torch.randn(shape, generator=random) for shape in [(12, 5), (5, 6), *[(6, 1)] * len(TASKS)]]
        x, self.backbone, *heads = (tensor.to(device).requires_grad_(place > 0) for place, tensor in enumerate(drawn))
        self.heads = dict(zip(TASKS, heads, strict=True))
        self.features = torch.tanh(x @ self.backbone)
        self.views = {task: self.features.view_as(self.features) for task in TASKS}
        self.read = self.views if views else dict.fromkeys(TASKS, self.features)
        self.given = self.views if views else self.features
        self.losses = {
            task: SCORES[task] * ((self.read[task][start:] @ head).squeeze(1) - 1).square()
            for start, (task, head) in enumerate(self.heads.items())
        }

    def balance(self, balancer):
        targets = {task: torch.zeros(len(loss)) for task, loss in self.losses.items()}
        return balancer(self.losses, features=self.given, parameters=[self.backbone], targets=targets)


def counting(patch):
    """Count the backward passes of `torch.autograd.grad`."""
    counted, grad = [], torch.autograd.grad

    def differentiate(*args, **options):
        counted.append(1)
        return grad(*args, **options)

    patch.setattr(torch.autograd, "grad", differentiate)
    return counted


@pytest.mark.parametrize("alignment", [0.0, 0.5])
@pytest.mark.parametrize("name", BALANCERS)
def test_every_balancer_finds_the_same_to_the_last_bit(name, alignment):
    found = []
    for views in (False, True):
        model, balancer = Model(views), make_balancer(name, TASKS, {**OPTIONS.get(name, {}), "alignment": alignment})
        scalar = model.balance(balancer)
        scalar.backward()
        found.append([scalar, model.backbone.grad, *(head.grad for head in model.heads.values())])
        found[-1].append(torch.tensor(list(balancer.weights.values()), dtype=torch.float64))
    # The penalty reaches the features by another order of sums.
    exact = {"rtol": 1e-5, "atol": 1e-6} if alignment else {"rtol": 0, "atol": 0}
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, **exact)


@pytest.mark.parametrize(
    ("name", "where", "passes"), [("dao", "map", 1), ("upgrad", "features", 1), ("modo", "map", 2)]
)
def test_one_pass_yields_all_tasks_gradients(name, where, passes, monkeypatch):
    balancer = make_balancer(name, TASKS, {"where": where})
    model = Model(views=True)
    counted = counting(monkeypatch)
    model.balance(balancer)
    assert len(counted) == passes
    counted.clear()
    Model(views=False).balance(balancer)
    assert len(counted) == passes * len(TASKS)


def test_tasks_of_one_view_are_told_apart():
    model = Model(views=True)
    losses = [loss.mean() for loss in model.losses.values()]
    shared = Model(views=False)
    expected = feature_gradients([loss.mean() for loss in shared.losses.values()], shared.features)
    assert torch.equal(feature_gradients(losses, list(model.views.values())), expected)
    twice = feature_gradients(
        [*losses, 3 * losses[0], None], [*model.views.values(), model.views["score"], model.features]
    )
    assert torch.equal(twice[:3], expected)
    torch.testing.assert_close(twice[3], 3 * expected[0])
    assert not twice[4].any()


def test_an_absent_task_needs_no_view():
    model = Model(views=True)
    del model.losses["score"], model.views["score"]
    balancer = DynamicAdaptiveLoss(TASKS)
    balancer(model.losses, features=model.views).backward()
    assert balancer.weights["score"] == 0
    assert all(weight > 0 for task, weight in balancer.weights.items() if task != "score")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda views: views.pop("anger"), "`features` has no view for 'anger'"),
        (lambda views: views.clear(), "`features` is empty"),
        (lambda views: views.update(anger=views["anger"][:3]), "must be views of one tensor"),
        (lambda views: views.update(anger=None), r"must hold tensors.*'anger': 'NoneType'"),
    ],
)
def test_views_that_do_not_fit_are_answered(change, message):
    model = Model(views=True)
    change(model.views)
    for balancer in (DynamicAdaptiveLoss(TASKS), EqualWeights(TASKS)):
        with pytest.raises(ValueError, match=message):
            model.balance(balancer)


def test_features_in_a_list_are_answered():
    model = Model(views=True)
    model.given = list(model.views.values())
    with pytest.raises(ValueError, match=r"a dict of a view for each task. Found list"):
        model.balance(DynamicAdaptiveLoss(TASKS))


@pytest.mark.parametrize("name", ["dao", "modo", "upgrad"])
@pytest.mark.parametrize("read", ["another one", "the features"])
def test_a_head_that_reads_another_view_is_named(read, name):
    model, balancer = Model(views=True), make_balancer(name, TASKS, {})
    wrong = model.views["score"] if read == "another one" else model.features
    model.losses["anger"] = (wrong @ model.heads["anger"]).squeeze(1).square()
    with pytest.raises(ValueError, match="The loss of 'anger' does not depend on its view of `features`"):
        model.balance(balancer)


def test_a_head_that_trains_nothing_but_itself_is_allowed():
    model, balancer = Model(views=True), DynamicAdaptiveLoss(TASKS)
    model.losses["anger"] = (model.views["anger"].detach() @ model.heads["anger"]).squeeze(1).square()
    model.balance(balancer).backward()
    assert model.heads["anger"].grad.any()


def test_the_penalty_of_no_loss_is_none():
    assert alignment_penalty([], []).item() == 0


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("name", ["equal", "dao", "pcgrad", "modo", "uncertainty"])
def test_numbers_leave_the_device_once_a_step(name, views, monkeypatch):
    left, run = [], other_device._run

    def watch(func, args, kwargs):
        to_cpu = func is torch.ops.aten._to_copy.default and torch.device(kwargs.get("device") or "meta").type == "cpu"
        if isinstance(args[0], other_device._Tensor) and (to_cpu or func is torch.ops.aten._local_scalar_dense.default):
            left.append(func)
        return run(func, args, kwargs)

    monkeypatch.setattr(other_device, "_run", watch)
    with other_device.other_device() as device:
        balancer = make_balancer(name, TASKS).to(device)
        model = Model(views, device)
        left.clear()
        model.balance(balancer)
        assert len(left) == 1
        assert set(balancer.loss_sums) == set(TASKS)


def test_sums_are_those_of_the_last_call_also_where_nothing_is_learnt():
    balancer, model = EqualWeights(TASKS), Model(views=False)
    model.balance(balancer)
    first = balancer.loss_sums
    assert first == {task: pytest.approx(loss.sum().item()) for task, loss in model.losses.items()}
    model.losses = {task: 2 * loss for task, loss in model.losses.items()}
    model.balance(balancer.eval())
    assert balancer.loss_sums == {task: 2 * total for task, total in first.items()}
    with torch.no_grad():
        model.losses.pop("score")
        model.balance(balancer)
    assert set(balancer.loss_sums) == {"polarity", "anger"}
