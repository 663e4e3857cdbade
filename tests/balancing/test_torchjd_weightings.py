"""The rules that TorchJD computes from gradients, against TorchJD on the Jacobian of an explicit linear layer."""

import pytest
import torch
from torchjd import aggregation

from equipoise.balancing import (
    MGDA,
    AlignedMTL,
    CAGrad,
    DualProj,
    DynamicAdaptiveLoss,
    ExcessMTL,
    FairGrad,
    GradVac,
    ImpartialGradients,
    MoDo,
    NashMTL,
    PCGrad,
    SDMGrad,
    UPGrad,
)
from equipoise.balancing.clipping import bounded
from equipoise.balancing.seeding import seeded_by_step

AGGREGATORS = {
    MGDA: aggregation.MGDA,
    ImpartialGradients: aggregation.IMTLG,
    PCGrad: aggregation.PCGrad,
    GradVac: aggregation.GradVac,
    CAGrad: lambda: aggregation.CAGrad(c=0.5),
    FairGrad: lambda: aggregation.FairGrad(alpha=1.0),
    AlignedMTL: aggregation.AlignedMTL,
    UPGrad: aggregation.UPGrad,
    DualProj: aggregation.DualProj,
}
STEPS = 3
WIDTH = 4


class _Problem:
    """Tasks, some in conflict, behind an explicit linear map in the place of the virtual one; all in float64."""

    def __init__(self, count, seed, rows=8):
        random = torch.Generator().manual_seed(seed)
        self.names = [f"task{index}" for index in range(count)]
        self.features = torch.randn(rows, WIDTH, generator=random, dtype=torch.float64).requires_grad_()
        self.heads = (
            torch.randn(count, WIDTH, generator=random, dtype=torch.float64) * 2.0 ** torch.arange(count)[:, None]
        )
        self.labels = torch.randn(count, rows, generator=random, dtype=torch.float64)

    def losses(self, read, rows=slice(None)):
        outputs = zip(self.names, self.heads, self.labels, strict=True)
        return {name: (read[rows] @ head - labels[rows]).square() for name, head, labels in outputs}

    def jacobian(self, rows=slice(None)):
        """Differentiate the mean losses by the explicit layer, shape (T, n)."""
        layer = torch.nn.Linear(WIDTH, WIDTH, dtype=torch.float64)
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        gradients = []
        for loss in self.losses(layer(self.features.detach()), rows).values():
            weight, bias = torch.autograd.grad(loss.mean(), [layer.weight, layer.bias], retain_graph=True)
            gradients.append(torch.cat([weight, bias[:, None]], dim=1).flatten())
        return torch.stack(gradients)

    def weights(self, balance, tasks=None):
        losses = self.losses(self.features)
        balance({task: losses[task] for task in tasks or self.names}, features=self.features)
        balance.after_step()
        return balance.weights


def _expected(raw):
    return bounded(raw, 1e-4, 1e4).tolist()


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("rule", AGGREGATORS, ids=lambda rule: rule.__name__)
def test_weights_are_those_of_torchjds_aggregator(rule, count):
    for seed in range(3):
        aggregate, balance = AGGREGATORS[rule](), rule(_Problem(count, seed).names)
        for step in range(STEPS):
            problem = _Problem(count, 10 * seed + step)
            jacobian = problem.jacobian()
            with seeded_by_step(0, step + 1):
                vector = aggregate(jacobian)
            weights = problem.weights(balance)
            raw = torch.linalg.lstsq(jacobian.T, vector[:, None]).solution.flatten()
            # A solver's tolerance, and constants that are not scaled with the gradients.
            tolerance = 1e-4 if rule in (FairGrad, GradVac) else 1e-6
            assert list(weights.values()) == pytest.approx(_expected(raw), rel=tolerance, abs=tolerance)


def test_cagrad_does_not_take_a_small_gradient_for_a_cancelled_one():
    gradients = torch.tensor([[0.01, 0.027], [-411.7, -1.13]], dtype=torch.float64)  # norms as 1 to 14,000
    products = gradients @ gradients.T
    weights = CAGrad(["a", "b"]).compute_weights(torch.ones(2), products, ["a", "b"])
    # The paper's problem, by trying all v = (x, 1 - x).
    mean = gradients.mean(dim=0)
    x = torch.linspace(0.999, 1, 100_001, dtype=torch.float64)[:, None]
    mixed = x * gradients[0] + (1 - x) * gradients[1]
    best = mixed[(mixed @ mean + 0.5 * mean.norm() * mixed.norm(dim=1)).argmin()]
    expected = mean + 0.5 * mean.norm() / best.norm() * best
    found = weights @ gradients
    torch.testing.assert_close(found / found.norm(), expected / expected.norm(), atol=1e-3, rtol=0)
    assert (gradients @ found > 0).all()


@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem that is not DPP")
@pytest.mark.parametrize("count", [2, 3])
def test_nash_mtl_is_torchjds_on_unit_gradients(count):
    problem = _Problem(count, 0)
    aggregate, balance = aggregation.NashMTL(count, optim_niter=4), NashMTL(problem.names, optim_niter=4)
    norms = problem.jacobian().norm(dim=1)
    raw = aggregate.weighting(problem.jacobian() / norms[:, None]) / norms
    assert list(problem.weights(balance).values()) == pytest.approx(_expected(raw), rel=1e-4)


def test_nash_mtl_solves_its_equation_also_where_torchjds_solver_is_stuck():
    norms = torch.tensor([0.24, 0.68], dtype=torch.float64)
    products = torch.outer(norms, norms) * torch.tensor([[1.0, -0.4], [-0.4, 1.0]])
    weights = NashMTL(["a", "b"]).compute_weights(torch.ones(2), products, ["a", "b"])
    assert (weights * (products @ weights)).tolist() == pytest.approx([1.0, 1.0], rel=1e-3)


@pytest.mark.parametrize(
    ("rule", "weighting"),
    [
        (lambda tasks: MoDo(tasks, gamma=1e-4), aggregation.MoDoWeighting(gamma=1e-4)),
        (SDMGrad, aggregation.SDMGradWeighting()),
    ],
    ids=["modo", "sdmgrad"],
)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_halves_of_the_batch_are_torchjds_independent_batches(rule, weighting, count):
    weighting.reset()
    balance = rule(_Problem(count, 0).names)
    for step in range(5):
        problem = _Problem(count, step)
        halves = [problem.jacobian(slice(start, None, 2)) for start in (0, 1)]
        raw = weighting(halves[0] @ halves[1].T)
        assert list(problem.weights(balance).values()) == pytest.approx(_expected(raw), rel=1e-6, abs=1e-9)
    assert raw.max() - raw.min() > 0.1


@pytest.mark.parametrize(
    "rule", [MGDA, ImpartialGradients, PCGrad, GradVac, CAGrad, FairGrad, AlignedMTL, UPGrad, DualProj, SDMGrad]
)
def test_the_unit_of_all_losses_does_not_matter(rule):
    problem = _Problem(3, 1)
    weights = []
    for scale in (1.0, 1e-7):
        balance = rule(problem.names)
        balance(
            {task: scale * loss for task, loss in problem.losses(problem.features).items()}, features=problem.features
        )
        weights.append(balance.weights)
    assert weights[0] == pytest.approx(weights[1], rel=1e-5)
    assert max(weights[0].values()) > 1.01


@pytest.mark.parametrize("rule", [PCGrad, GradVac])
def test_the_order_of_projections_depends_on_seed_and_step_alone(rule):
    problem = _Problem(5, 0)

    def history(seed, names, steps=4):
        balance = rule(names, seed=seed)
        return [problem.weights(balance) for _ in range(steps)]

    first = history(0, problem.names)
    torch.manual_seed(99)
    assert history(0, problem.names) == first
    assert history(1, problem.names) != first
    reverse = history(0, problem.names[::-1])
    assert [weights == pytest.approx(one) for weights, one in zip(reverse, first, strict=True)] == [True] * 4


def _same(first, second, count=3, rel=1e-6):
    for step in range(STEPS):
        problem = _Problem(count, step)
        assert problem.weights(first) == pytest.approx(problem.weights(second), rel=rel), step


def test_relations_between_the_rules():
    two, three = _Problem(2, 0).names, _Problem(3, 0).names
    _same(GradVac(three, beta=0.0), PCGrad(three))
    _same(UPGrad(two), PCGrad(two), count=2, rel=1e-3)
    _same(ImpartialGradients(two), DynamicAdaptiveLoss(two, floor=0.0), count=2)
    _same(CAGrad(three, c=1e4), MGDA(three, epsilon=1e-9, max_iters=3000), rel=0.02)
    _same(NashMTL(three), FairGrad(three, alpha=1.0), rel=0.02)
    for balance in (CAGrad(three, c=0.0), FairGrad(three, alpha=0.0), SDMGrad(three, lambda_=1e9)):
        assert _Problem(3, 0).weights(balance) == pytest.approx(dict.fromkeys(three, 1.0))


def test_gradvac_keeps_its_targets_by_pair_of_tasks():
    balance = GradVac(_Problem(3, 0).names)
    _Problem(3, 0).weights(balance)
    before = balance.state_dict()["state.kept.targets"]
    _Problem(3, 1).weights(balance, ["task0", "task2"])
    after = balance.state_dict()["state.kept.targets"]
    changed = (before != after).nonzero().tolist()
    assert changed == [[0, 2], [2, 0]]


@pytest.mark.parametrize(
    ("make", "name"), [(lambda tasks: MoDo(tasks, gamma=1e-4), "lambda"), (SDMGrad, "v"), (ExcessMTL, "weights")]
)
def test_absent_tasks_keep_their_share(make, name):
    balance = make(_Problem(3, 0).names)
    _Problem(3, 0).weights(balance)
    before = balance.state_dict()[f"state.kept.{name}"]
    _Problem(3, 1).weights(balance, ["task1", "task2"])
    after = balance.state_dict()[f"state.kept.{name}"]
    assert after[0] == before[0]
    assert after.tolist() != before.tolist()
    assert after.sum().item() == pytest.approx(1)


def test_excess_risk_is_relative_to_a_tasks_own_first():
    """Twice the same gradient: Σ g² / √(2 g²) = Σ |g| / √2 is 1 / √2 times the first, Σ |g|."""
    balance = ExcessMTL(["a", "b", "late"], robust_step_size=1.0)
    h = torch.eye(2, requires_grad=True)
    losses = {"a": h[:, 0], "b": h[:, 0], "late": 0.1 * h[:, 1]}
    for _ in range(2):
        balance({"a": losses["a"], "b": losses["b"]}, features=h)
    assert balance.weights == pytest.approx({"a": 1.0, "b": 1.0, "late": 0.0})
    first = balance.state_dict()["state.kept.first"]
    # (½, 0)ᵀ ⊗ (1, 1, 2).
    assert first.tolist() == pytest.approx([2.0, 2.0, float("nan")], nan_ok=True)
    balance(losses, features=h)
    assert balance.state_dict()["state.kept.first"].tolist() == pytest.approx([2.0, 2.0, 0.2], rel=1e-4)
    # The third of three: e^(1/√3) a task; the newcomer counts by its risk itself, e^0.2.
    assert balance.weights["a"] / balance.weights["late"] == pytest.approx(2.718281828 ** (3**-0.5 - 0.2), rel=1e-4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_excess_mtl_is_torchjds(count):
    # A small step: TorchJD before 0.18 overflows where an excess risk is far above its first.
    weighting = aggregation.ExcessMTLWeighting(0.01)
    balance = ExcessMTL(_Problem(count, 0).names, robust_step_size=0.01)
    for step in range(6):
        problem = _Problem(count, step)
        expected = _expected(weighting(problem.jacobian()))
        assert list(problem.weights(balance).values()) == pytest.approx(expected, rel=1e-9)
    assert max(expected) > 1.05


def test_excess_mtls_warm_up_is_torchjds():
    weighting = aggregation.ExcessMTLWeighting(0.5, n_warmup_steps=2)
    balance = ExcessMTL(_Problem(3, 0).names, robust_step_size=0.5, n_warmup_steps=2)
    for step in range(5):
        problem = _Problem(3, step)
        expected = _expected(weighting(problem.jacobian()))
        weights = problem.weights(balance)
        assert list(weights.values()) == pytest.approx(expected, rel=1e-9)
        assert (weights == pytest.approx(dict.fromkeys(weights, 1.0))) == (step < 2)


def test_nash_mtl_solves_in_every_nth_step():
    balance = NashMTL(_Problem(2, 0).names, update_weights_every=2, optim_niter=2)
    weights = [_Problem(2, step).weights(balance) for step in range(3)]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize("rule", [MoDo, SDMGrad, ExcessMTL])
def test_rules_that_compare_gradients_of_several_batches_have_no_place_at_the_features(rule):
    with pytest.raises(ValueError, match="gradients of another shape in every batch"):
        rule(["a"], where="features")
