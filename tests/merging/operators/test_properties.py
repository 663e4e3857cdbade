import pytest
import torch

from equipoise.errors import ModelError, UsageError
from equipoise.merging.operators import MERGE_OPERATORS, Reuse, make_merge_operator
from equipoise.merging.operators.reduction import reduce
from equipoise.merging.operators.seeding import derive_seed
from equipoise.merging.operators.spectra import truncated_svd


def random_experts(*shape, experts="abc", rank=None, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw():
        if rank is None:
            return torch.randn(shape, generator=generator)
        return torch.randn((shape[0], rank), generator=generator) @ torch.randn((rank, shape[1]), generator=generator)

    return {expert: {"w": draw()} for expert in experts}


def merge(operator, vectors, weights=None, seed=0, statistics=None, **options):
    made = make_merge_operator(operator, **options)
    weights = weights or dict(zip(vectors, made.default_weights(len(vectors)), strict=True))
    base = {"w": torch.zeros_like(next(iter(vectors.values()))["w"])}
    return dict(made.merge(vectors, weights, base, statistics, seed))["w"]


@pytest.mark.parametrize("operator", ["ties", "dare_ties", "della"])
def test_a_merged_number_has_the_consensus_sign(operator):
    vectors = random_experts(40, 30)
    merged = merge(operator, vectors, density=1.0)
    total = sum(vector["w"] for vector in vectors.values())
    assert torch.equal(merged.sign(), total.sign())
    # And none is larger than what one expert has of that sign.
    assert (merged.abs() <= torch.stack([vector["w"].abs() for vector in vectors.values()]).amax(0) + 1e-6).all()


def test_ties_keeps_the_share_it_says():
    merged = merge("ties", random_experts(50, 40, experts="a"), density=0.2)
    assert (merged != 0).sum() == 400


@pytest.mark.parametrize(("operator", "options"), [("dare_linear", {"density": 0.3}), ("della", {"density": 0.5})])
def test_drops_leave_the_expectation(operator, options):
    vectors = random_experts(4, 5, experts="a")
    draws = torch.stack([merge(operator, vectors, {"a": 1.0}, seed, **options) for seed in range(2000)])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - vectors["a"]["w"]).abs() <= 5 * error).all()


@pytest.mark.parametrize("operator", ["dare_linear", "dare_ties", "della"])
def test_every_expert_and_every_tensor_draws_for_itself(operator):
    one = torch.ones(20, 20)
    made = make_merge_operator(operator, density=0.5)
    base = {"v": torch.zeros(20, 20), "w": torch.zeros(20, 20)}

    def pattern(expert):
        return {name: values != 0 for name, values in made.merge({expert: {"v": one, "w": one}}, {expert: 1.0}, base)}

    a, b = pattern("a"), pattern("b")
    for other in (b["w"], a["v"]):
        assert 0.35 < (a["w"] == other).float().mean() < 0.65


def test_seeds_are_the_same_on_every_machine():
    assert derive_seed(0, "layer.weight") == 1564725999
    assert derive_seed(1, "layer.weight") == 713372036


def test_tsv_m_directions_are_orthogonal():
    vectors = random_experts(12, 9)
    merged = merge("tsv_m", vectors)
    # Nine singular values, three of each expert, unchanged.
    kept = torch.cat([torch.linalg.svdvals(vector["w"])[:3] for vector in vectors.values()])
    torch.testing.assert_close(torch.linalg.svdvals(merged), kept.sort(descending=True).values, rtol=1e-4, atol=1e-4)


def test_tsv_m_of_two_equal_experts_is_the_expert():
    vector = random_experts(8, 6, experts="a", rank=2)["a"]
    torch.testing.assert_close(merge("tsv_m", {"a": vector, "b": vector}), vector["w"], rtol=1e-4, atol=1e-5)


def test_iso_c_makes_singular_values_alike():
    vectors = random_experts(12, 9)
    values = torch.linalg.svdvals(merge("iso_c", vectors))
    total = sum(vector["w"] for vector in vectors.values())
    torch.testing.assert_close(values, torch.linalg.svdvals(total).mean().expand(9), rtol=1e-4, atol=1e-4)


def largest(matrix, rank):
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return left[:, :rank] * values[:rank] @ right[:rank]


def quadratic(operator, vectors, weights):
    """The objective's gradient of WUDI or OptMerge as written, the average of the task vectors, and who reads."""
    taus = {expert: vector["w"].double() for expert, vector in vectors.items()}
    average = sum(weights[expert] * tau for expert, tau in taus.items()) / len(taus)
    if operator == "wudi":
        targets = readers = taus
    else:  # of seven singular values and three experts, two stay
        centre = sum(taus.values()) / len(taus)
        targets = {expert: centre + largest(tau - centre, 2) for expert, tau in taus.items()}
        readers = {expert: largest(tau, 2) for expert, tau in taus.items()}

    def gradient(point):
        point = point.double().requires_grad_()
        objective = sum(
            ((point - weights[expert] * targets[expert]) @ readers[expert].mT).square().sum() / tau.square().sum()
            for expert, tau in taus.items()
        )
        return torch.autograd.grad(objective, point)[0]

    return gradient, average, list(readers.values())


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("operator", ["wudi", "optmerge"])
def test_after_a_long_time_the_objective_is_flat(operator, rank):
    vectors, weights = random_experts(7, 10, rank=rank), {"a": 1.0, "b": 2.0, "c": -0.5}
    gradient, average, readers = quadratic(operator, vectors, weights)
    merged = merge(operator, vectors, weights, time=1e9)
    assert gradient(merged).norm() < 1e-4 * gradient(average.clone()).norm()
    # And it goes away from the average only where some expert reads.
    joint = torch.cat(readers)
    unread = torch.linalg.svd(joint).Vh[torch.linalg.matrix_rank(joint, rtol=1e-4) :]
    assert ((merged - average) @ unread.mT).abs().sum() < 1e-4


@pytest.mark.parametrize("operator", ["wudi", "optmerge"])
def test_the_time_is_that_of_gradient_descent_in_small_steps(operator):
    vectors, weights = random_experts(7, 10), {"a": 1.0, "b": 2.0, "c": 0.5}
    gradient, point, _ = quadratic(operator, vectors, weights)
    # The gradient is twice that of half the objective.
    step = 0.001 / 2
    for _ in range(2000):
        point = (point - step * gradient(point)).detach()
    torch.testing.assert_close(merge(operator, vectors, weights, time=2.0), point.float(), rtol=1e-3, atol=1e-3)


def test_optmerge_of_two_low_rank_experts_with_rows_apart_has_both():
    generator = torch.Generator().manual_seed(0)
    left = torch.zeros(4, 8)
    left[:, :4] = torch.randn((4, 4), generator=generator)
    right = torch.zeros(4, 8)
    right[:, 4:] = torch.randn((4, 4), generator=generator)
    for vector in (left, right):
        basis, values, rows = torch.linalg.svd(vector, full_matrices=False)
        vector.copy_(basis[:, :1] * values[:1] @ rows[:1])
    # (left − mean) has rank two and both are kept, as k = 4 / 2.
    merged = merge("optmerge", {"a": {"w": left}, "b": {"w": right}})
    torch.testing.assert_close(merged, left + right, rtol=1e-4, atol=1e-5)


def test_regmean_answers_as_each_expert_on_inputs_apart():
    generator = torch.Generator().manual_seed(0)
    vectors = random_experts(5, 6, experts="ab")
    directions = torch.linalg.qr(torch.randn((6, 6), generator=generator)).Q
    inputs = {"a": torch.randn((20, 2), generator=generator) @ directions[:2]}
    inputs["b"] = torch.randn((20, 3), generator=generator) @ directions[2:5]
    grams = {expert: {"w": rows.mT @ rows} for expert, rows in inputs.items()}
    merged = merge("regmean", vectors, statistics=grams, off_diagonal=1.0)
    for expert, rows in inputs.items():
        torch.testing.assert_close(rows @ merged.mT, rows @ vectors[expert]["w"].mT, rtol=1e-3, atol=1e-3)


def test_regmean_averages_where_inputs_never_go():
    generator = torch.Generator().manual_seed(0)
    vectors = random_experts(5, 6, experts="ab")
    inputs = {expert: torch.randn((20, 6), generator=generator) for expert in vectors}
    grams = {}
    for expert, rows in inputs.items():
        rows[:, 2] = 0
        grams[expert] = {"w": rows.mT @ rows}
    merged = merge("regmean", vectors, statistics=grams)
    torch.testing.assert_close(merged[:, 2], (vectors["a"]["w"] + vectors["b"]["w"])[:, 2] / 2)


def test_regmean_is_the_least_squares_solution_for_inputs_of_any_size():
    generator = torch.Generator().manual_seed(0)
    vectors = random_experts(5, 6, experts="ab")
    sizes = torch.tensor([1e3, 1.0, 1.0, 1.0, 1.0, 1e-2])
    inputs = {expert: torch.randn((30, 6), generator=generator) * sizes for expert in vectors}
    merged = merge(
        "regmean", vectors, statistics={e: {"w": rows.mT @ rows} for e, rows in inputs.items()}, off_diagonal=1.0
    )
    rows = torch.cat(list(inputs.values())).double()
    outputs = torch.cat([inputs[expert] @ vectors[expert]["w"].mT for expert in vectors]).double()
    expected = torch.linalg.lstsq(rows, outputs).solution.mT.float()
    torch.testing.assert_close(merged, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("shape", [(6, 5), (30, 5)])  # wide and tall: more columns than rows side by side, or fewer
@pytest.mark.parametrize("inner", ["ties", "dare_ties"])
def test_knots_is_the_inner_merge_in_the_joint_basis(shape, inner):
    vectors = random_experts(*shape, rank=2)
    joint = torch.cat([vector["w"] for vector in vectors.values()], dim=1)
    basis, values, rows = torch.linalg.svd(joint, full_matrices=False)
    kept = values > 1e-4
    blocks = (values[kept, None] * rows[kept]).split(shape[1], dim=1)
    moved = {expert: {"w": block} for expert, block in zip(vectors, blocks, strict=True)}
    if inner == "dare_ties":
        # Draws depend on a number's place, and the rows of the basis may come in another order: drop nothing.
        expected = basis[:, kept] @ merge(inner, moved, density=1.0)
        found = merge("knots", vectors, inner=inner, density=1.0)
    else:
        expected = basis[:, kept] @ merge(inner, moved, density=0.3)
        found = merge("knots", vectors, density=0.3)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_knots_trims_all_tensors_together_and_leaves_other_tensors_as_they_are():
    vectors = {"a": {"big": torch.diag(torch.tensor([9.0, 8.0])), "bias": torch.tensor([0.1, 7.0, 0.2, 0.3])}}
    base = {name: torch.zeros_like(values) for name, values in vectors["a"].items()}
    # Eight numbers, of which three are kept.
    merged = dict(make_merge_operator("knots", density=0.375).merge(vectors, {"a": 1.0}, base))
    torch.testing.assert_close(merged["big"], vectors["a"]["big"])
    torch.testing.assert_close(merged["bias"], torch.tensor([0.0, 7.0, 0.0, 0.0]))


def test_matrices_that_are_no_linear_layers_are_averaged():
    vectors = random_experts(6, 5, experts="ab")
    made = make_merge_operator("iso_c")
    base = {"w": torch.zeros(6, 5)}
    merged = dict(made.merge(vectors, {"a": 1.0, "b": 1.0}, base, linear=["another"]))["w"]
    torch.testing.assert_close(merged, (vectors["a"]["w"] + vectors["b"]["w"]) / 2)


def test_tensors_without_statistics_are_averaged():
    vectors = random_experts(6, 5, experts="ab")
    merged = merge("regmean", vectors, statistics={"a": {}, "b": {}})
    torch.testing.assert_close(merged, (vectors["a"]["w"] + vectors["b"]["w"]) / 2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tiess", {}, "no operator 'tiess'. Did you mean 'ties'"),
        ("TSV-M", {}, "no operator 'TSV-M'. Did you mean 'tsv_m'"),
        ("zzz", {}, "no operator 'zzz'. There is: 'breadcrumbs', 'dare_linear'"),
        ("ties", {"densty": 1}, "'ties' has no option 'densty'. Did you mean 'density'"),
        ("linear", {"density": 1}, "'linear' has no option 'density'. There are none"),
        ("ties", {"density": 0}, r"ties: `density` must be in \(0, 1\]. Found 0"),
        ("ties", {"density": "much"}, "Found 'much'"),
        ("ties", {"scale": -1}, "ties: `scale` must be a positive number. Found -1"),
        ("ties", {"trim": "modell"}, "ties: `trim` must be 'model' or 'tensor'. Found 'modell'. Did you mean 'model'"),
        ("dare_linear", {"density": 1.5}, "dare_linear: `density`"),
        ("dare_ties", {"scale": True}, "dare_ties: `scale` must be a positive number. Found True"),
        ("della", {"density": 0.1}, r"della: `epsilon` must be .* \(density is 0.1\). Found 0.15"),
        ("della", {"density": 0.9}, r"della: `epsilon` must be .* \(density is 0.9\). Found 0.15"),
        ("breadcrumbs", {"gamma": 1.0}, r"breadcrumbs: `gamma` must be in \[0, 1\). Found 1.0"),
        ("regmean", {"off_diagonal": 2}, r"regmean: `off_diagonal` must be in \[0, 1\]. Found 2"),
        ("knots", {"inner": "linear"}, "knots: `inner` must be 'ties' or 'dare_ties'. Found 'linear'"),
        ("knots", {"density": 2}, "`density` must be in"),
    ],
)
def test_a_mistake_in_the_options_is_answered(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_merge_operator(name, **options)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("linear", {"a": 1.0}, "no weight for 'b'"),
        ("linear", {"a": 1.0, "b": 1.0, "bb": 1.0}, "a weight for 'bb'. Did you mean 'b'"),
        ("linear", {"a": 1.0, "b": -1.0}, "weight of 'b' is -1.0; 'linear' expects a number, 0 or more"),
        ("linear", {"a": 0.0, "b": 0.0}, "all weights are 0"),
        ("task_arithmetic", {"a": 1.0, "b": float("nan")}, "weight of 'b' is nan; .* expects a finite number"),
        ("fisher", {"a": 1.0, "b": 1.0}, "'fisher' needs the statistics 'fisher'"),
    ],
)
def test_weights_that_do_not_fit_are_answered(name, weights, message):
    with pytest.raises(UsageError, match=message):
        merge(name, random_experts(3, 2, experts="ab"), weights)


def test_no_experts_and_too_many_are_answered():
    with pytest.raises(UsageError, match="'slerp' merges 2 experts at most, and there are 3"):
        merge("slerp", random_experts(3, 2))
    with pytest.raises(UsageError, match="'linear' has no experts"):
        make_merge_operator("linear").merge({}, {}, {})


def test_all_weights_zero_change_nothing():
    assert not merge("task_arithmetic", random_experts(3, 2, experts="ab"), {"a": 0.0, "b": 0.0}).any()


def test_experts_of_another_base_are_answered():
    made = make_merge_operator("linear")
    with pytest.raises(ModelError, match=r"'w' has shape \(3, 2\) in expert 'a' and \(2, 3\) in the base"):
        made.merge(random_experts(3, 2, experts="a"), {"a": 1.0}, {"w": torch.zeros(2, 3)})
    with pytest.raises(ModelError, match="'a' has the tensor 'w', the base has none of this name"):
        made.merge(random_experts(3, 2, experts="a"), {"a": 1.0}, {})


def test_statistics_that_do_not_fit_are_answered():
    vectors = random_experts(3, 2, experts="ab")
    with pytest.raises(ModelError, match="statistics of 'b' lack the tensor 'w', which those of 'a' have"):
        merge("regmean", vectors, statistics={"a": {"w": torch.eye(2)}})
    wrong = {expert: {"w": torch.eye(3)} for expert in "ab"}
    with pytest.raises(ModelError, match=r"'inputs' of 'a' for the tensor 'w' have shape \(3, 3\); expected \(2, 2\)"):
        merge("regmean", vectors, statistics=wrong)


@pytest.mark.parametrize("name", MERGE_OPERATORS)
def test_names_agree(name):
    assert MERGE_OPERATORS[name].name == name
    assert type(make_merge_operator(name)) is MERGE_OPERATORS[name]
    assert MERGE_OPERATORS[name].paper


@pytest.mark.parametrize("name", ["iso_c", "knots", "optmerge", "tsv_m", "wudi"])
def test_decompositions_are_done_once_in_a_search(name, monkeypatch):
    vectors = random_experts(20, 30, rank=2)
    base, cache = {"w": torch.zeros(20, 30)}, {}
    made = make_merge_operator(name)
    sizes = []
    decompose = torch.linalg.eigh

    def counted(matrix):
        sizes.append(len(matrix))
        return decompose(matrix)

    monkeypatch.setattr(torch.linalg, "eigh", counted)
    list(made.merge(vectors, dict.fromkeys("abc", 1.0), base, reuse=Reuse(dict.fromkeys("abc", 0.0), cache)))
    assert max(sizes) == 20
    sizes.clear()
    list(made.merge(vectors, {"a": 1.0, "b": 0.5, "c": 2.0}, base, reuse=Reuse(dict.fromkeys("abc", 0.0), cache)))
    # What is left to do has the size of the ranks.
    assert max(sizes, default=0) <= 6
    assert list(cache) == [("w", "a", "b", "c")]
    # Another set of experts is another entry.
    list(made.merge(vectors, {"a": 1.0, "b": 0.5, "c": 0.0}, base, reuse=Reuse(cache=cache)))
    assert list(cache)[1:] == [("w", "a", "b")]


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (20, 5)])
def test_low_rank_is_reduced_without_loss(shape):
    vectors = {expert: vector["w"] for expert, vector in random_experts(*shape, rank=2).items()}
    reduced = reduce(vectors, {expert: truncated_svd(vector) for expert, vector in vectors.items()})
    for expert, vector in vectors.items():
        assert reduced.cores[expert].shape == (6, min(6, shape[1]))
        torch.testing.assert_close(reduced.expand(reduced.cores[expert].double()).float(), vector)


def test_iso_c_of_low_rank_makes_singular_values_alike():
    vectors = random_experts(20, 30, rank=2)
    total = sum(vector["w"] for vector in vectors.values())
    left, values, right = torch.linalg.svd(total, full_matrices=False)
    expected = values[:6].mean() * left[:, :6] @ right[:6]
    torch.testing.assert_close(merge("iso_c", vectors), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("shape", "rank"), [((7, 9), None), ((9, 7), None), ((9, 7), 3), ((3, 3), 1)])
def test_singular_values_are_those_of_torch(shape, rank):
    matrix = random_experts(*shape, experts="a", rank=rank)["a"]["w"]
    left, values, right = truncated_svd(matrix)
    assert len(values) == (rank or min(shape))
    torch.testing.assert_close(values.float(), torch.linalg.svdvals(matrix)[: len(values)])
    torch.testing.assert_close((left * values @ right).float(), matrix)
    for basis in (left.mT, right):
        torch.testing.assert_close(basis @ basis.mT, torch.eye(len(values), dtype=torch.float64))
