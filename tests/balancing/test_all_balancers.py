"""What holds for every balancer: state, options, packages."""

import re
from importlib.metadata import requires
from importlib.util import find_spec

import pytest
import torch
from safetensors.torch import load_file, save_file

from equipoise.balancing import BALANCERS, FAMO, NashMTL, input_checks, make_balancer
from equipoise.errors import UsageError

TASKS = ["a", "b", "c"]
OPTIONS = {"nash_mtl": {"optim_niter": 1}, "static": {"weights": {"a": 1, "b": 2, "c": 3}}}


def _make(name):
    return make_balancer(name, TASKS, OPTIONS.get(name))


def _step(balance, step):
    """Take a step with one task absent in two of three, and an epoch's end after every second."""
    random = torch.Generator().manual_seed(step)
    h = torch.randn(6, 3, generator=random).requires_grad_()
    heads = torch.randn(3, 3, generator=random)
    losses = {task: (h @ head).square() + 0.1 for task, head in zip(TASKS, heads, strict=True)}
    if step % 3:
        del losses[TASKS[step % 3]]
    scalar = balance(losses, features=h)
    balance.after_step(lambda: {task: 0.9 * loss.detach() for task, loss in losses.items()})
    if step % 2:
        balance.on_epoch_end()
    return scalar.item(), balance.weights


@pytest.mark.parametrize("name", BALANCERS)
def test_a_saved_state_goes_on_bit_for_bit(name, tmp_path):
    balance, resumed = _make(name), _make(name)
    for step in range(7):
        _step(balance, step)
    save_file(balance.state_dict(), tmp_path / "balancer.safetensors")
    resumed.load_state_dict(load_file(tmp_path / "balancer.safetensors"))
    assert resumed.state_dict().keys() == balance.state_dict().keys()
    for step in range(7, 12):
        assert _step(resumed, step) == _step(balance, step)
    state, other = balance.state_dict(), resumed.state_dict()
    assert all(torch.equal(state[key].nan_to_num(-1), other[key].nan_to_num(-1)) for key in state)


@pytest.mark.parametrize("name", BALANCERS)
def test_a_saved_state_does_not_change_when_training_goes_on(name):
    balance = _make(name)
    for step in range(3):
        _step(balance, step)
    state = balance.state_dict()
    before = {key: value.clone() for key, value in state.items()}
    for step in range(3, 6):
        _step(balance, step)
    assert all(torch.equal(state[key].nan_to_num(-1), before[key].nan_to_num(-1)) for key in state)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("uncertainty", {"lr": -1}, "`lr` must be a positive number. Found -1"),
        ("imtl_l", {"lr": 0}, "`lr` must be a positive number. Found 0"),
        ("dwa", {"temperature": 0}, "`temperature` must be a positive number"),
        ("random", {"seed": -1}, "`seed` must be a whole number, at least 0. Found -1"),
        ("stch", {"mu": 0}, "`mu` must be a positive number"),
        ("stch", {"weights": {"a": 0}}, r"`weights\['a'\]` must be a positive number. Found 0"),
        ("stch", {"reference": {"d": 1}}, "`reference` has an unknown task 'd'"),
        ("stch", {"weights": 3}, "`weights` must map tasks to numbers. Found 3"),
        ("famo", {"lr": -0.1}, "`lr` must be at least 0"),
        ("famo", {"weight_decay": "x"}, "`weight_decay` must be at least 0. Found 'x'"),
        ("famo", {"min_losses": {"a": "low"}}, r"`min_losses\['a'\]` must be a number"),
        ("mgda", {"epsilon": 0}, "`epsilon` must be a positive number"),
        ("mgda", {"max_iters": 1.5}, "`max_iters` must be a whole number, at least 1. Found 1.5"),
        ("pcgrad", {"seed": True}, "`seed` must be a whole number"),
        ("gradvac", {"beta": 2}, r"`beta` must be in \[0, 1\]"),
        ("cagrad", {"c": -1}, "`c` must be at least 0"),
        ("nash_mtl", {"update_weights_every": 0}, "`update_weights_every` must be a whole number, at least 1"),
        ("nash_mtl", {"optim_niter": 0}, "`optim_niter` must be a whole number, at least 1"),
        ("fairgrad", {"alpha": -1}, "`alpha` must be at least 0"),
        ("excess_mtl", {"robust_step_size": 0}, "`robust_step_size` must be a positive number"),
        ("excess_mtl", {"n_warmup_steps": -1}, "`n_warmup_steps` must be a whole number, at least 0"),
        ("excess_mtl", {"where": "features"}, "Use map or parameters"),
        ("modo", {"gamma": 0}, "`gamma` must be a positive number"),
        ("modo", {"rho": -1}, "`rho` must be at least 0"),
        ("sdmgrad", {"lr": 0}, "`lr` must be a positive number"),
        ("sdmgrad", {"momentum": 1}, r"`momentum` must be in \[0, 1\)"),
        ("sdmgrad", {"n_iter": 0}, "`n_iter` must be a whole number, at least 1"),
        ("sdmgrad", {"lambda_": -1}, "`lambda_` must be at least 0"),
        ("upgrad", {"where": "here"}, "`where` must be one of map, features, parameters"),
        ("dwa", {"where": "map"}, "'dwa' has no option 'where'"),
        ("geometric_mean", {"clip": 1}, "`clip` must be"),
    ],
)
def test_a_bad_option_is_answered(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_balancer(name, TASKS, options)


def test_the_runs_seed_is_that_of_the_draws_unless_the_options_have_one():
    weights = []
    for options, seed in (({"seed": 5}, 0), ({}, 5), ({"seed": 5}, 6), ({}, 0)):
        balance = make_balancer("random", TASKS, options, seed=seed)
        balance(dict.fromkeys(TASKS, torch.ones(2)))
        weights.append(balance.weights)
    assert weights[0] == weights[1] == weights[2] != weights[3]
    assert make_balancer("equal", TASKS, seed=5).tasks == dict.fromkeys(TASKS, "")


@pytest.mark.parametrize(
    ("name", "package"), [("upgrad", "quadprog"), ("dualproj", "qpsolvers"), ("cagrad", "cvxpy"), ("nash_mtl", "ecos")]
)
def test_a_missing_package_is_answered_at_once_with_the_line_that_installs_it(name, package, monkeypatch):
    monkeypatch.setattr(input_checks, "find_spec", lambda module: None if module == package else find_spec(module))
    message = f'needs {package}, which is not installed. Install with: pip install "equipoise[balancers]"'
    with pytest.raises(UsageError, match=re.escape(message)):
        make_balancer(name, TASKS)
    assert make_balancer("mgda", TASKS).tasks


@pytest.mark.parametrize("name", ["stch", "upgrad"])
def test_without_torchjd_its_balancers_say_so_and_the_others_work(name, monkeypatch):
    monkeypatch.setattr(input_checks, "find_spec", lambda module: None if module == "torchjd" else find_spec(module))
    with pytest.raises(
        UsageError, match=r'needs torchjd, which is not installed.*pip install "equipoise\[balancers\]"'
    ):
        make_balancer(name, TASKS)
    assert make_balancer("dao", TASKS).tasks


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("upgrad", "quadprog-projector"),
        ("dualproj", "quadprog-projector"),
        ("cagrad", "cagrad"),
        ("nash_mtl", "nash-mtl"),
    ],
)
def test_every_package_that_torchjd_requires_is_checked(name, extra):
    required = [line for line in requires("torchjd") if f'extra == "{extra}"' in line]
    packages = {re.match(r"[\w-]+", line)[0] for line in required}
    assert packages - {"numpy"} <= set(BALANCERS[name].packages)


def test_a_fresh_balancer_is_free_of_what_another_learned():
    first, second = FAMO(TASKS), NashMTL(TASKS)
    _step(first, 0)
    _step(second, 0)
    assert not FAMO(TASKS).state_dict()["state.kept.logits"].any()
    assert not NashMTL(TASKS).state_dict()["state.kept.weights"].any()
