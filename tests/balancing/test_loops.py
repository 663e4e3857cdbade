"""Every balancer in the loops that people write: mixed precision, compiled, frozen, tied, distributed."""

import copy
import math

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from equipoise.balancing import BALANCERS, DynamicAdaptiveLoss, NonFiniteLoss, Repeatable, make_balancer
from processes import in_two_processes

TASKS = {"score": "regression", "polarity": "classification"}
OPTIONS = {
    "static": {"weights": {"score": 1.0, "polarity": 3.0}},
    "dao at parameters": {"where": "parameters"},
    "dao at features": {"where": "features"},
    "nash_mtl": {"optim_niter": 1},  # it is slow
}
NAMES = sorted(BALANCERS)
# Of each way to the weights: what is read, where, when it is learned from, and what is kept.
ONE_OF_EACH_KIND = [
    "dao",
    "dao at features",
    "dao at parameters",
    "db_mtl",
    "famo",
    "gradnorm",
    "modo",
    "pcgrad",
    "uncertainty",
]


class Model(nn.Module):
    """A backbone and two heads; the features stay inside."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.modules_of = nn.ModuleDict({"score": nn.Linear(8, 1), "polarity": nn.Linear(8, 3)})
        self.features = torch.empty(0)

    def forward(self, x):
        self.features = self.backbone(x)
        return {task: module(self.features) for task, module in self.modules_of.items()}


def make_model():
    torch.manual_seed(0)
    return Model()


def make(name, tasks=TASKS):
    return make_balancer(name.split()[0], tasks, OPTIONS.get(name))


def make_batch(step=0, rows=16):
    random = torch.Generator().manual_seed(step)
    x = torch.randn(rows, 4, generator=random)
    return {"x": x, "score": 5 * x.sum(1), "polarity": (x[:, 0] > 0).long() + (x[:, 1] > 0)}


def task_losses(model, batch, tasks=TASKS):
    outputs = model(batch["x"])
    every = {
        "score": (outputs["score"].squeeze(1) - batch["score"]).square(),
        "polarity": cross_entropy(outputs["polarity"].float(), batch["polarity"], reduction="none"),
    }
    return {task: every[task] for task in tasks}


def train(model, balance, steps=4, *, tasks=TASKS, lr=0.05, autocast=None, scaler=None, batches=make_batch):
    """Train; return the weights of every step."""
    inner = model.module if isinstance(model, DistributedDataParallel) else model
    optimizer = torch.optim.SGD([parameter for parameter in model.parameters() if parameter.requires_grad], lr=lr)
    history = []
    for step in range(steps):
        batch = batches(step)

        def compute(batch=batch):
            with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
                return task_losses(model, batch, tasks)

        losses = Repeatable(compute)
        loss = balance(losses(), features=inner.features, parameters=inner.backbone.parameters())
        optimizer.zero_grad()
        if scaler is None:
            loss.backward()
            optimizer.step()
            balance.after_step(losses)
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scale = scaler.get_scale()
            scaler.update()
            balance.after_step(losses, skipped=scaler.get_scale() < scale)
        history.append(balance.weights)
    return history


def assert_sound(balance, model):
    assert sum(balance.weights.values()) == pytest.approx(len(balance.tasks))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    # NaN stands for what is not known yet.
    assert not any(value.isinf().any() for value in balance.state_dict().values())


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16(name):
    exact, rounded = make_model(), make_model()
    balance, other = make(name), make(name)
    train(exact, balance, lr=1e-3)
    train(rounded, other, lr=1e-3, autocast=torch.bfloat16)
    assert_sound(other, rounded)
    assert rounded.features.dtype == torch.bfloat16
    for task, weight in balance.weights.items():
        assert other.weights[task] == pytest.approx(weight, rel=0.2, abs=0.02)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_float16_with_a_scaler_that_overflows(name):
    model, balance = make_model(), make(name)
    before = copy.deepcopy(model.state_dict())
    # The first step overflows, and lowers the scale to 2^10.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-30)
    train(model, balance, 1, autocast=torch.float16, scaler=scaler, lr=1e-3)
    assert scaler.get_scale() == 2.0**10
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert_sound(balance, model)
    train(model, balance, autocast=torch.float16, scaler=scaler, lr=1e-3)
    assert scaler.get_scale() == 2.0**10
    assert_sound(balance, model)
    assert not torch.equal(model.backbone[0].weight, before["backbone.0.weight"])


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_compiled_backbone(name):
    plain, compiled = make_model(), make_model()
    compiled.backbone.compile(backend="aot_eager")
    history, other = train(plain, make(name)), train(compiled, make(name))
    for weights, others in zip(history, other, strict=True):
        assert others == pytest.approx(weights, rel=1e-4)
    for one, another in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one, another)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_backbone_frozen_in_part(name):
    model, balance = make_model(), make(name)
    model.backbone[0].requires_grad_(False)
    before = model.backbone[0].weight.clone()
    train(model, balance)
    assert_sound(balance, model)
    assert torch.equal(model.backbone[0].weight, before)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_backbone_frozen_altogether(name):
    model, balance = make_model(), make(name)
    model.backbone.requires_grad_(False)
    if balance.needs_gradients:
        with pytest.raises(ValueError, match=r"`features` has no gradient|holds no parameter that is trained"):
            train(model, balance)
    else:
        train(model, balance)
        assert_sound(balance, model)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_parameters_that_task_modules_and_backbone_share(name):
    model, balance = make_model(), make(name)
    for task, module in model.modules_of.items():
        hidden = nn.Linear(8, 8)
        hidden.weight = model.backbone[2].weight
        model.modules_of[task] = nn.Sequential(hidden, module)
    train(model, balance, lr=0.01)
    assert_sound(balance, model)


@pytest.mark.parametrize("name", NAMES)
def test_tasks_that_come_and_go(name):
    model, balance = make_model(), make(name)
    for step in range(6):
        tasks = [task for index, task in enumerate(TASKS) if step % 3 != index]
        weights = train(model, balance, 1, tasks=tasks, batches=lambda _, step=step: make_batch(step), lr=0.01)[0]
        assert {task for task, weight in weights.items() if weight} == set(tasks)
        assert sum(weights.values()) == pytest.approx(len(tasks))


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_one_task_only(name):
    model, balance = make_model(), make(name, {"score": "regression"})
    assert all(weights["score"] == pytest.approx(1) for weights in train(model, balance, tasks=["score"], lr=0.01))


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_loss_of_exactly_zero(name):
    model, balance = make_model(), make(name)
    # Mixed into the middle, so that what is learned before and after meets it.
    for step in range(4):
        losses = task_losses(model, make_batch(step))
        if step in (1, 2):
            losses["score"] = 0 * losses["score"]
        scalar = balance(losses, features=model.features, parameters=model.backbone.parameters())
        scalar.backward()
        balance.after_step(lambda losses=losses: losses)
        assert math.isfinite(scalar.item())
        assert_sound(balance, model)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_its_task(name, value):
    model, balance = make_model(), make(name)
    losses = task_losses(model, make_batch())
    losses["polarity"] = losses["polarity"] * value
    with pytest.raises(NonFiniteLoss, match="task 'polarity'"):
        balance(losses, features=model.features, parameters=model.backbone.parameters())
    losses = task_losses(model, make_batch())
    balance(losses, features=model.features, parameters=model.backbone.parameters())
    assert_sound(balance, model)


def test_features_that_the_model_has_copied_are_refused():
    model = make_model()
    losses = task_losses(model, make_batch())
    with pytest.raises(ValueError, match="No loss depends on `features`"):
        DynamicAdaptiveLoss(TASKS)(losses, features=model.features.clone())


def _train_in_two(folder):
    torch.set_num_threads(1)
    rank = dist.get_rank()
    for name in ONE_OF_EACH_KIND:
        model, balance = make_model(), make(name)

        def half(step):
            whole = make_batch(step)
            return {key: value[rank::2] for key, value in whole.items()}

        history = train(DistributedDataParallel(model), balance, lr=0.01, batches=half)
        torch.save({"history": history, "model": model.state_dict()}, folder / f"{name}-{rank}.pt")


def test_two_processes(tmp_path):
    """The examples alternate between the processes, as between the halves of a batch."""
    ended = in_two_processes(_train_in_two, tmp_path)
    assert [process.exit_code for process in ended] == [0, 0], ended
    for name in ONE_OF_EACH_KIND:
        first, second = (torch.load(tmp_path / f"{name}-{rank}.pt") for rank in (0, 1))
        assert first["history"] == second["history"]
        model = make_model()
        history = train(model, make(name), lr=0.01)
        if name == "modo":
            # It halves each process's examples, which is another halving of the joined batch.
            continue
        for weights, others in zip(history, first["history"], strict=True):
            assert others == pytest.approx(weights, rel=1e-4)
        for key, value in model.state_dict().items():
            torch.testing.assert_close(first["model"][key], value, msg=f"{name}: {key}")
            assert torch.equal(first["model"][key], second["model"][key])
