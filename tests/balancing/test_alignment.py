import pytest
import torch
from torch import nn

from equipoise.balancing import DynamicAdaptiveLoss, alignment_penalty, make_balancer
from equipoise.errors import UsageError
from equipoise.testing.batch import TASKS, Batch


def problem(parameters, tokens=False):
    """Three tasks over other rows of the features of a small network."""
    backbone, *heads = parameters
    inputs = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    features = (inputs @ backbone).tanh()
    if tokens:
        features = features.view(2, 3, -1)
    rows = features.flatten(0, -2)
    return [(rows[task:] @ head).square().mean() for task, head in enumerate(heads)], features


def draw(*shapes):
    random = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, dtype=torch.float64, generator=random).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("tokens", [False, True])
def test_its_gradient_is_that_of_finite_differences(tokens):
    parameters = draw((3, 4), (4,), (4,), (4,))
    assert torch.autograd.gradcheck(lambda *given: alignment_penalty(*problem(given, tokens)), parameters)


def test_it_is_one_less_the_mean_cosine_at_an_explicit_map():
    losses, features = problem(draw((3, 4), (4,), (4,), (4,)))
    layer = nn.Linear(4, 4, dtype=torch.float64)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    heads = draw((3, 4), (4,), (4,), (4,))[1:]
    mapped = layer(features)
    gradients = []
    for task, head in enumerate(heads):
        found = torch.autograd.grad((mapped[task:] @ head).square().mean(), layer.parameters(), retain_graph=True)
        gradients.append(torch.cat([one.flatten() for one in found]))
    cosines = [
        torch.cosine_similarity(gradients[one], gradients[other], dim=0) for one, other in ((0, 1), (0, 2), (1, 2))
    ]
    torch.testing.assert_close(alignment_penalty(losses, features), 1 - torch.stack(cosines).mean())


def test_aligned_tasks_cost_nothing_and_opposed_ones_two_whatever_their_sizes():
    (loss, *_), features = problem(draw((3, 4), (4,)))
    assert alignment_penalty([loss, 1000 * loss], features).item() == pytest.approx(0, abs=1e-12)
    assert alignment_penalty([loss, -0.01 * loss], features).item() == pytest.approx(2, abs=1e-12)


def test_a_task_without_gradient_is_left_out():
    losses, features = problem(draw((3, 4), (4,), (4,)))
    apart = torch.ones(2, requires_grad=True).sum()
    expected = alignment_penalty(losses, features)
    assert torch.equal(alignment_penalty([*losses, 0 * losses[0], apart], features), expected)
    alone = alignment_penalty([losses[0], apart], features)
    assert alone.item() == 0


def test_descent_turns_the_gradients_towards_each_other():
    parameters = draw((3, 4), (4,), (4,))
    before = alignment_penalty(*problem(parameters)).item()
    for _ in range(60):
        penalty = alignment_penalty(*problem(parameters))
        for parameter, gradient in zip(parameters, torch.autograd.grad(penalty, parameters), strict=True):
            parameter.data -= 0.1 * gradient
    assert alignment_penalty(*problem(parameters)).item() < 0.5 * before


@pytest.mark.parametrize("name", ["dao", "equal", "pcgrad", "famo"])
def test_any_balancer_adds_it_to_its_scalar(name):
    plain, aligned = make_balancer(name, TASKS), make_balancer(name, TASKS, {"alignment": 0.5})
    batch = Batch(0)
    expected = batch.balance(plain) + 0.5 * alignment_penalty(
        [loss.mean() for loss in batch.losses.values()], batch.features
    )
    found = batch.balance(aligned)
    assert aligned.weights == plain.weights
    torch.testing.assert_close(found, expected)
    found.backward()
    assert all(module.grad.isfinite().all() for module in batch.modules.values())


def test_off_changes_no_bit():
    gradients = []
    for options in ({}, {"alignment": 0}):
        batch = Batch(0)
        batch.balance(make_balancer("dao", TASKS, options)).backward()
        gradients.append([batch.backbone.grad, *(module.grad for module in batch.modules.values())])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_it_is_no_part_of_a_validation_loss():
    batch, balance = Batch(0), make_balancer("equal", TASKS, {"alignment": 3.0})
    assert torch.equal(batch.balance(balance.eval()), batch.balance(make_balancer("equal", TASKS)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dao", {"alignment": -1}, "`alignment` must be a number of at least 0. Found -1"),
        (
            "dao",
            {"alignment": 1, "where": "parameters"},
            "`alignment` goes with `where: map`. Found `where: parameters`",
        ),
        ("dao", {"alignment": 1, "where": "features"}, "`alignment` goes with `where: map`"),
        ("equal", {"aligment": 1}, "'equal' has no option 'aligment'. Did you mean 'alignment'"),
    ],
)
def test_a_mistake_in_the_run_file_is_answered(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_balancer(name, TASKS, options)


def test_what_it_cannot_do_is_refused():
    balance = DynamicAdaptiveLoss(TASKS)
    balance.alignment = 0.1
    batch = Batch(0)
    with pytest.raises(ValueError, match="needs the whole batch at once: leave out gradient accumulation"):
        batch.balance(balance, counts=dict.fromkeys(TASKS, 24))
    equal = make_balancer("equal", TASKS, {"alignment": 1.0})
    with pytest.raises(ValueError, match="`alignment` needs gradients: pass `features=`"):
        equal(batch.losses)
    with pytest.raises(ValueError, match="`features` has no gradient, so that `alignment` can change nothing"):
        equal(batch.losses, features=batch.features.detach())
