"""Merging where the base computes on another device than the CPU, on which vectors and statistics lie."""

import pytest
import torch
from datasets import Dataset

from adapters import one
from equipoise.merging import (
    MERGE_OPERATORS,
    AdaMergingSettings,
    Base,
    adamerge,
    fisher,
    input_grams,
    make_merge_operator,
)
from equipoise.modeling import MultiTaskModel
from prompted import TEXTS, encode

ROWS = Dataset.from_dict({"text": list(TEXTS), "pair": [None] * len(TEXTS)})
SHAPES = {"first.weight": (4, 3), "second.weight": (3, 3), "bias": (4,)}


def put_on(path, **formats):
    torch.manual_seed(0)
    base = Base.load(str(path), language_model="prompt" in formats.values())
    return base, MultiTaskModel(base.backbone, base.tokenizer, one(**formats), 128).eval()


@pytest.mark.parametrize("name", MERGE_OPERATORS)
def test_operators_merge_where_the_vectors_are(name, elsewhere):
    random = torch.Generator().manual_seed(0)
    base = {tensor: torch.randn(shape, generator=random) for tensor, shape in SHAPES.items()}
    vectors = {
        expert: {tensor: torch.randn(shape, generator=random) for tensor, shape in SHAPES.items()} for expert in "ab"
    }
    del vectors["b"]["second.weight"]
    inputs = {tensor: torch.randn(9, shape[-1], generator=random) for tensor, shape in SHAPES.items() if len(shape) > 1}
    operator = make_merge_operator(name)
    statistics = {
        "": None,
        "inputs": {expert: {tensor: rows.mT @ rows for tensor, rows in inputs.items()} for expert in "ab"},
        "fisher": {expert: {tensor: vector.square() for tensor, vector in vectors["a"].items()} for expert in "ab"},
    }[operator.statistics]
    weights = dict(zip("ab", operator.default_weights(2), strict=True))
    expected = dict(operator.merge(vectors, weights, base, statistics=statistics))
    with elsewhere() as device:
        moved = {tensor: values.to(device) for tensor, values in base.items()}
        found = dict(operator.merge(vectors, weights, moved, statistics=statistics))
    assert found.keys() == expected.keys()
    for tensor, values in expected.items():
        torch.testing.assert_close(found[tensor], values)


@pytest.mark.parametrize(("format", "kind"), [("head", "tiny_model"), ("prompt", "tiny_llm")])
def test_statistics_are_those_of_the_cpu(request, format, kind, elsewhere):
    base, model = put_on(request.getfixturevalue(kind), polarity=format)
    tensors = [name for name in sorted(base.linear) if ".1." in name][:2]
    expected = [collect(base, model, "polarity", ROWS, tensors=tensors) for collect in (input_grams, fisher)]
    with elsewhere() as device:
        model.to(device)
        found = [collect(base, model, "polarity", ROWS, tensors=tensors) for collect in (input_grams, fisher)]
        for there, here in zip(found, expected, strict=True):
            for name, values in here.items():
                torch.testing.assert_close(there[name].cpu(), values, rtol=1e-3, atol=1e-5)


def test_adamerging_and_candidates_are_those_of_the_cpu(tiny_model, elsewhere):
    base, model = put_on(tiny_model, polarity="head", emotions="head")
    rows = {task: encode(model, TEXTS, wanted={task: range(len(TEXTS))}) for task in model.tasks}
    random = torch.Generator().manual_seed(0)
    tensors = [name for name in sorted(base.linear) if ".1." in name][:2]
    vectors = {
        expert: {name: 0.1 * torch.randn(base.tensors[name].shape, generator=random) for name in tensors}
        for expert in ("one", "other")
    }

    def learn():
        with base.changed(vectors["one"]):
            changed = {name: base.tensors[name].clone().cpu() for name in tensors}
        return adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=2)), changed

    expected, changed = learn()
    with elsewhere() as device:
        model.to(device)
        found, moved = learn()
    for name, values in changed.items():
        torch.testing.assert_close(moved[name], values)
    for expert, coefficients in expected.coefficients.items():
        assert found.coefficients[expert] == pytest.approx(coefficients, rel=1e-4)
