"""Values worked out by hand, on tensors small enough for it."""

import math

import torch

from equipoise.merging.operators import make_merge_operator


def merge(operator, *vectors, weights=None, base=None, statistics=None, **options):
    """Merge experts a, b, c … of one tensor."""
    names = "abcdef"[: len(vectors)]
    made = make_merge_operator(operator, **options)
    columns = {name: {"w": torch.tensor(vector)} for name, vector in zip(names, vectors, strict=True)}
    weights = weights or made.default_weights(len(vectors))
    merged = made.merge(
        columns,
        dict(zip(names, weights, strict=True)),
        {"w": torch.zeros_like(columns["a"]["w"]) if base is None else torch.tensor(base)},
        statistics and {name: {"w": torch.tensor(one)} for name, one in zip(names, statistics, strict=True)},
    )
    return dict(merged)["w"]


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


A, B = [[1.0, -2.0], [3.0, 4.0]], [[5.0, 2.0], [-1.0, 0.0]]


def test_linear():
    close(merge("linear", A, B), [[3.0, 0.0], [1.0, 2.0]])
    # 3 and 1 stand for 3/4 and 1/4.
    close(merge("linear", A, B, weights=[3, 1]), [[2.0, -1.0], [2.0, 3.0]])


def test_linear_is_the_average_of_the_models():
    base = torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    models = (base + torch.tensor(A), base + torch.tensor(B))
    close(base + merge("linear", A, B, base=base.tolist()), ((models[0] + models[1]) / 2).tolist())


def test_task_arithmetic():
    close(merge("task_arithmetic", A, B), [[2.4, 0.0], [0.8, 1.6]])  # 0.4 each
    close(merge("task_arithmetic", A, B, weights=[1, -2]), [[-9.0, -6.0], [5.0, 4.0]])


# Of six numbers a density of 0.5 keeps three.
C = [[4.0, -3.0, 0.5], [0.1, -2.0, 1.0]]  # keeps 4, -3, -2
D = [[2.0, 5.0, 0.2], [-0.3, -4.0, 0.1]]  # keeps 2, 5, -4
E = [[-9.0, 1.0, 0.3], [8.0, -0.2, 7.0]]  # keeps -9, 8, 7


def test_ties():
    # Sums of what is kept: 4+2-9 < 0, -3+5 > 0, 0, 8, -2-4 < 0, 7. The mean is over those with the elected sign.
    close(merge("ties", C, D, E, density=0.5), [[-9.0, 5.0, 0.0], [8.0, -3.0, 7.0]])
    close(merge("ties", C, D, E, density=0.5, scale=0.5), [[-4.5, 2.5, 0.0], [4.0, -1.5, 3.5]])
    # With C counting thrice: 3·4+2-9 > 0, so (3·4 + 2)/4; 3·(-3)+5 < 0, so -3; (3·(-2) - 4)/4.
    close(merge("ties", C, D, E, density=0.5, weights=[3, 1, 1]), [[3.5, -3.0, 0.0], [8.0, -2.5, 7.0]])


def test_ties_elects_nothing_at_a_tie():
    close(merge("ties", [1.0, 2.0], [-1.0, 3.0], density=1.0), [0.0, 2.5])


def test_ties_trims_the_whole_vector_or_each_tensor():
    vectors = {"a": {"one": torch.tensor([9.0, -8.0, 7.0, 6.0]), "two": torch.tensor([[0.4, -0.3], [0.2, 0.1]])}}
    base = {name: torch.zeros_like(tensor) for name, tensor in vectors["a"].items()}
    whole = dict(make_merge_operator("ties", density=0.5).merge(vectors, {"a": 1.0}, base))
    close(whole["one"], [9.0, -8.0, 7.0, 6.0])
    close(whole["two"], [[0.0, 0.0], [0.0, 0.0]])
    each = dict(make_merge_operator("ties", density=0.5, trim="tensor").merge(vectors, {"a": 1.0}, base))
    close(each["one"], [9.0, -8.0, 0.0, 0.0])
    close(each["two"], [[0.4, -0.3], [0.0, 0.0]])


def test_dare_without_drops():
    close(merge("dare_linear", A, B, density=1.0), [[2.4, 0.0], [0.8, 1.6]])
    # Signs: +, 0 (a tie), +, +.
    close(merge("dare_ties", A, B, density=1.0), [[3.0, 0.0], [3.0, 4.0]])


def test_dare_drops_and_rescales():
    dropped = merge("dare_linear", [[3.0] * 40] * 50, weights=[1], density=0.25)
    assert sorted(dropped.unique().tolist()) == [0.0, 12.0]
    assert abs((dropped > 0).float().mean() - 0.25) < 0.04  # four standard deviations


def test_della_drops_small_numbers_more_often():
    rows = torch.arange(1.0, 6.0).repeat(4000, 1)
    merged = merge("della", rows.tolist(), density=0.5, epsilon=0.4)
    keep = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    close(merged.amax(0), (rows[0] / keep).tolist())  # rescaled each by its own probability
    assert ((merged > 0).float().mean(0) - keep).abs().max() < 0.035
    close(merge("della", A, B, density=1.0), [[3.0, 0.0], [3.0, 4.0]])


def test_breadcrumbs():
    # Of ten numbers gamma leaves out the two largest, and density keeps the three next to them.
    numbers = [5.0, -10.0, 1.0, 8.0, -7.0, 2.0, -9.0, 3.0, 6.0, 4.0]
    kept = [0.0, 0.0, 0.0, 8.0, -7.0, 0.0, 0.0, 0.0, 6.0, 0.0]
    close(merge("breadcrumbs", numbers, weights=[1], density=0.3, gamma=0.2), kept)
    # With everything kept there is nothing to leave out.
    close(merge("breadcrumbs", numbers, weights=[1], density=1.0, gamma=0.2), numbers)


def test_slerp():
    # From (1, 0) to (0, 1): a quarter turn, halfway at 45°, a third of the way at 30°.
    base = [0.5, 0.5]
    half = math.sqrt(0.5)
    close(merge("slerp", [0.5, -0.5], [-0.5, 0.5], base=base), [half - 0.5, half - 0.5])
    third = merge("slerp", [0.5, -0.5], [-0.5, 0.5], base=base, weights=[2, 1])
    close(third, [math.cos(math.pi / 6) - 0.5, 0.5 - 0.5])


def test_slerp_is_linear_for_parallel_models():
    close(merge("slerp", [1.0, 0.0], [3.0, 0.0], base=[7.0, 0.0]), [2.0, 0.0])
    close(merge("slerp", [0.0, 0.0], [3.0, 1.0], base=[0.0, 0.0]), [1.5, 0.5])


def test_metagpt_counts_all_tensors():
    vectors = {
        "a": {"one": torch.tensor([1.0, 2.0]), "two": torch.tensor(2.0)},  # ‖τ‖² = 9
        "b": {"one": torch.tensor([4.0, 1.0]), "two": torch.tensor(1.0)},  # ‖τ‖² = 18
    }
    base = {"one": torch.zeros(2), "two": torch.zeros(())}
    merged = dict(make_merge_operator("metagpt").merge(vectors, {"a": 1.0, "b": 1.0}, base))
    close(merged["one"], [3.0, 4 / 3])
    close(merged["two"], 4 / 3)


def test_regmean():
    # Out 1, in 2. With G_a = diag(3, 1) and G_b = diag(1, 1): (3·1 + 5)/4 and (-2 + 2)/2.
    grams = [[[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    close(merge("regmean", [[1.0, -2.0]], [[5.0, 2.0]], statistics=grams), [[2.0, 0.0]])
    # (τ_a G_a + τ_b G_b)(G_a + G_b)⁻¹ = (4, 2) [[3, 1], [1, 3]]⁻¹ = (4, 2) [[3, -1], [-1, 3]] / 8
    grams = [[[2.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]]]
    close(merge("regmean", [[1.0, 1.0]], [[1.0, -1.0]], statistics=grams, off_diagonal=1.0), [[1.25, 0.25]])
    # Halved off the diagonal: (3.5, 1.5) [[3, .5], [.5, 3]]⁻¹ = (3.5, 1.5) [[3, -.5], [-.5, 3]] / 8.75
    halved = merge("regmean", [[1.0, 1.0]], [[1.0, -1.0]], statistics=grams, off_diagonal=0.5)
    close(halved, [[9.75 / 8.75, 2.75 / 8.75]])


def test_fisher():
    information = [[[1.0, 0.0], [3.0, 0.0]], [[3.0, 2.0], [1.0, 0.0]]]
    # Nobody depends on the last number, so it is averaged.
    close(merge("fisher", A, B, statistics=information), [[4.0, 2.0], [2.0, 2.0]])
    close(merge("fisher", A, B, statistics=information, weights=[1, 3]), [[4.6, 2.0], [1.0, 1.0]])


def test_fisher_holds_tiny_information():
    tiny = [[[1e-38, 1e-38], [1e-38, 1e-38]], [[3e-38, 3e-38], [3e-38, 3e-38]]]
    close(merge("fisher", A, B, statistics=tiny), [[4.0, 1.0], [0.0, 1.0]])


def test_tsv_m():
    # One direction each, already orthogonal: added up. The small directions of each are left out.
    close(merge("tsv_m", [[3.0, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 2.0]]), [[3.0, 0.0], [0.0, 2.0]])
    # u_a = v_a = e_1, u_b = v_b = (0.6, 0.8). The nearest orthogonal pair to these lies as symmetrically around them:
    # turned outwards from the middle, at half of atan(0.8 / 0.6), by 45° each way.
    middle = math.atan2(0.8, 0.6) / 2
    u, v = (torch.tensor([math.cos(middle + turn), math.sin(middle + turn)]) for turn in (-math.pi / 4, math.pi / 4))
    expected = 2 * torch.outer(u, u) + 3 * torch.outer(v, v)
    b = 3 * torch.outer(torch.tensor([0.6, 0.8]), torch.tensor([0.6, 0.8]))
    close(merge("tsv_m", [[2.0, 0.0], [0.0, 0.0]], b.tolist()), expected.tolist())
    # A vector is averaged.
    close(merge("tsv_m", [1.0, 2.0], [3.0, 4.0]), [2.0, 3.0])


def test_iso_c():
    # The sum is diag(4, 2): all singular values become 3.
    close(merge("iso_c", [[3.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]), [[3.0, 0.0], [0.0, 3.0]])
    # The sum has rank one, and no direction is made up.
    close(merge("iso_c", [[3.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]), [[4.0, 0.0], [0.0, 0.0]])


def test_wudi():
    # Rank one, with rows e_1 and e_2: each keeps its own.
    close(merge("wudi", [[2.0, 0.0], [1.0, 0.0]], [[0.0, 5.0], [0.0, -1.0]]), [[2.0, 5.0], [1.0, -1.0]])
    # Out 1, in 1: (w_a τ_a + w_b τ_b) / 2, since τᵀτ/‖τ‖² is 1.
    close(merge("wudi", [[2.0]], [[5.0]], weights=[2, -1]), [[-0.5]])


def test_optmerge():
    # Both orthogonal: the mean is diag(3, 2); 6 e₁e₁ᵀ − mean = diag(3, −2) keeps 3, so τ̃_a = diag(6, 2), read along e₁;
    # diag(0, 4) − mean = diag(−3, 2) keeps −3, so τ̃_b = diag(0, 2), read along e₂.
    close(merge("optmerge", [[6.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 4.0]]), [[6.0, 0.0], [0.0, 2.0]])


def test_knots():
    # Outputs along e_1 and e_2 already, so that U is the identity up to signs and order, and TIES is as it was.
    a, b = [[4.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 2.0]]
    close(merge("knots", a, b, density=1.0), [[4.0, 0.0], [0.0, 1.5]])
    # All outputs along (0.6, 0.8): there is one row, (10, 5) and (-5, 15), and its second half is averaged.
    a, b = [[6.0, 3.0], [8.0, 4.0]], [[-3.0, 9.0], [-4.0, 12.0]]
    close(merge("knots", a, b, density=1.0), [[6.0, 6.0], [8.0, 8.0]])
    # Trimmed to one of the two numbers each: 10 and 15.
    close(merge("knots", a, b, density=0.5), [[6.0, 9.0], [8.0, 12.0]])
