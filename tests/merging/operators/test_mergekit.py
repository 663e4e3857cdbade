"""Parity with mergekit, where definitions agree."""

import pytest
import torch

from equipoise.merging.operators import DELLA, make_merge_operator

SHAPES = [(301,), (40, 30), (8, 3, 5, 5)]
WEIGHTS = {"a": 0.7, "b": 0.2, "c": 0.4}


def experts(shape, names="abc"):
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(shape, generator=generator)
    return base, {name: 0.3 * torch.randn(shape, generator=generator) for name in names}


def ours(name, base, vectors, weights=WEIGHTS, **options):
    made = make_merge_operator(name, **options)
    columns = {expert: {"w": vector} for expert, vector in vectors.items()}
    merged = made.merge(columns, {expert: weights[expert] for expert in vectors}, {"w": base})
    return base + dict(merged)["w"]


def theirs(name, base, vectors, **parameters):
    from mergekit.merge_methods import registry
    from mergekit.merge_methods.base import TensorGroup

    with_base = name != "linear"
    models = {expert: base + vector for expert, vector in vectors.items()}
    if name == "slerp":
        models.pop("a")
        base = base + vectors["a"]
    tensors, ids = list(models.values()), list(models)
    if with_base:
        tensors, ids = [base, *tensors], ["base", *ids]
    group = TensorGroup.from_tensors(tensors, ids=ids, base_index=0 if with_base else None)
    (merged,) = registry.get(name)([group], parameters=parameters)
    return merged


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("linear", {}, {}),
        ("task_arithmetic", {}, {}),
        ("ties", {"density": 0.3, "trim": "tensor"}, {"density": 0.3}),
        ("ties", {"density": 0.3, "trim": "tensor", "scale": 0.6}, {"density": 0.3, "lambda": 0.6}),
        ("breadcrumbs", {"density": 0.3, "gamma": 0.05}, {"density": 0.3, "gamma": 0.05}),
        # What stays of the random ones when nothing is dropped: the sum, or the election and the mean.
        ("dare_linear", {"density": 1.0}, {"density": 1.0}),
        ("dare_ties", {"density": 1.0}, {"density": 1.0, "normalize": True}),
        ("della", {"density": 1.0}, {"density": 1.0}),
    ],
)
def test_the_merged_model_is_the_same(shape, name, options, parameters):
    base, vectors = experts(shape)
    expected = theirs(name, base, vectors, weight=WEIGHTS, **parameters)
    torch.testing.assert_close(ours(name, base, vectors, **options), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_slerp_is_the_same(shape, share):
    base, vectors = experts(shape, "ab")
    expected = theirs("slerp", base, vectors, t=share)
    found = ours("slerp", base, vectors, {"a": 1 - share, "b": share})
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_della_keeps_with_the_same_probabilities(shape, monkeypatch):
    from mergekit import sparsify

    seen = []
    monkeypatch.setattr(torch, "bernoulli", lambda keep: seen.append(keep) or torch.ones_like(keep))
    _, vectors = experts(shape, "a")
    sparsify.della_magprune(vectors["a"], density=0.4, epsilon=0.15)
    found = DELLA(density=0.4, epsilon=0.15)._keep(vectors["a"])
    torch.testing.assert_close(found, seen[0].reshape(shape))
