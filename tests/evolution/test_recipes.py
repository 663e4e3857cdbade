import pytest
import torch

from equipoise.evolution import Recipe, Space
from equipoise.evolution.recipes import blocks_of

NAMES = ["embed.weight", *(f"encoder.layer.{n}.{part}.weight" for n in range(4) for part in "ab"), "norm.weight"]


def test_blocks_share_layers_out_evenly():
    assert list(blocks_of(NAMES, 2).values()) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert list(blocks_of(NAMES, 4).values()) == [0, 0, 0, 1, 1, 2, 2, 3, 3, 3]
    # More blocks than layers: some stay empty.
    assert list(blocks_of(["l.0.w", "l.1.w"], 3).values()) == [0, 1]
    assert set(blocks_of(["one", "two"], 3).values()) == {0}
    # Of a model's 30 layers experts may have changed the upper ones only.
    assert list(blocks_of(["l.27.w", "l.28.w", "l.29.w", "l.29.v"], 3).values()) == [0, 1, 2, 2]


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    return {name: {tensor: torch.randn(3, 3) for tensor in NAMES} for name in ("x", "y")}


@pytest.fixture
def base():
    return {name: torch.ones(3, 3) for name in NAMES}


def test_each_block_has_its_own_coefficients(vectors, base):
    merged = Recipe("task_arithmetic", {}, ({"x": 1.0, "y": 0.0}, {"x": 0.5, "y": -2.0})).merge(vectors, base, set())
    assert list(merged) == NAMES
    assert torch.equal(merged["encoder.layer.1.a.weight"], vectors["x"]["encoder.layer.1.a.weight"])
    expected = 0.5 * vectors["x"]["norm.weight"] - 2 * vectors["y"]["norm.weight"]
    torch.testing.assert_close(merged["norm.weight"], expected)


def test_blocks_are_of_the_layers_that_experts_changed(vectors, base):
    upper = {name: {key: one[key] for key in NAMES[5:9]} for name, one in vectors.items()}
    recipe = Recipe("task_arithmetic", {}, ({"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 1.0}))
    merged = recipe.merge(upper, base, set())
    assert list(merged) == NAMES[5:9]
    for name in NAMES[5:9]:
        assert torch.equal(merged[name], vectors["x" if ".2." in name else "y"][name])


def test_blocks_that_are_alike_are_no_blocks(vectors, base):
    weights = {"x": 0.7, "y": 0.2}
    for operator in ("ties", "metagpt", "tsv_m"):
        one = Recipe(operator, {}, (weights,)).merge(vectors, base, set(NAMES))
        two = Recipe(operator, {}, (weights, weights)).merge(vectors, base, set(NAMES))
        assert all(torch.equal(one[name], two[name]) for name in NAMES), operator


def test_numbers_are_coefficients_and_options():
    space = Space(("x", "y"), "ties", {"trim": "tensor"}, {"density": (0.1, 0.9)}, 2, (0.0, 1.5), 3)
    assert space.parameters == {**dict.fromkeys(["x/0", "y/0", "x/1", "y/1"], (0.0, 1.5)), "option:density": (0.1, 0.9)}
    recipe = space.recipe({"x/0": 0.1, "y/0": 0.2, "x/1": 0.3, "y/1": 0.4, "option:density": 0.5})
    assert recipe.weights == ({"x": 0.1, "y": 0.2}, {"x": 0.3, "y": 0.4})
    assert recipe.options == {"trim": "tensor", "density": 0.5}
    assert recipe.seed == 3
    # The operator's own density is where the option starts; coefficients are brought into the range.
    assert space.start([-1.0, 2.0]) == {"x/0": 0, "y/0": 1.5, "x/1": 0, "y/1": 1.5, "option:density": 0.2}
    assert Space(("x",), "linear", {}, {}, 1, (0.0, 1.0), 0).parameters == {"x": (0.0, 1.0)}
