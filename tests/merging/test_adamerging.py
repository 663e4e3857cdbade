"""Coefficients learnt by the entropy of answers."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from equipoise.errors import ModelError, UsageError
from equipoise.merging import AdaMergingSettings, Base, adamerge
from equipoise.merging.distributions import log_probabilities
from equipoise.modeling import MultiTaskModel
from prompted import TEXTS, encode, make_model, make_tasks, predict


def put_on(path, **formats):
    """A base, and a model of some tasks on it."""
    torch.manual_seed(0)
    base = Base.load(str(path), language_model="prompt" in formats.values())
    tasks = make_tasks(**formats)
    return base, MultiTaskModel(base.backbone, base.tokenizer, {name: tasks[name] for name in formats}, 128).eval()


def texts(model, *tasks):
    return {task: encode(model, TEXTS, wanted={task: range(len(TEXTS))}) for task in tasks}


def sharp_and_blunt(base, model, rows, *tensors):
    """An expert that goes where answers get surer, and one that goes the other way."""
    own = {name: parameter for name, parameter in base.backbone.named_parameters() if name in tensors}
    entropy = 0.0
    for task, data in rows.items():
        logs = log_probabilities(model, task, data.to_list())
        entropy = entropy - (logs.exp() * logs).sum(-1).mean()
    slopes = torch.autograd.grad(entropy, list(own.values()))
    way = {name: slope / slope.norm() / 4 for name, slope in zip(own, slopes, strict=True)}
    return {"blunt": way, "sharp": {name: -tensor for name, tensor in way.items()}}


BERT = ("encoder.layer.0.attention.self.value.weight", "encoder.layer.1.output.dense.weight")
LLAMA = ("model.layers.0.self_attn.v_proj.weight", "model.layers.1.mlp.down_proj.weight")
CASES = [
    ({"polarity": "head", "emotions": "head"}, BERT),
    ({"polarity": "prompt", "intensity": "prompt", "emotions": "prompt"}, LLAMA),
]


@pytest.mark.parametrize("by_tensor", [True, False])
@pytest.mark.parametrize(("formats", "tensors"), CASES, ids=["head", "prompt"])
def test_the_expert_that_sharpens_gains(tiny_model, tiny_llm, formats, tensors, by_tensor):
    base, model = put_on(tiny_model if tensors is BERT else tiny_llm, **formats)
    before = {name: tensor.clone() for name, tensor in base.tensors.items()}
    rows = texts(model, *formats)
    vectors = sharp_and_blunt(base, model, rows, *tensors)
    state = torch.random.get_rng_state()
    made = adamerge(
        base,
        vectors,
        model,
        rows,
        settings=AdaMergingSettings(steps=6, learning_rate=0.02, by_tensor=by_tensor, seed=3),
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert made.left_out == []
    for tensor in tensors:
        # Adam's steps are as long as its rate where slopes hardly change.
        assert made.coefficients["sharp"][tensor] == pytest.approx(0.3 + 6 * 0.02, abs=0.01)
        assert made.coefficients["blunt"][tensor] == pytest.approx(0.3 - 6 * 0.02, abs=0.01)
    totals = [sum(step.values()) for step in made.entropies]
    assert all(later < earlier for earlier, later in pairwise(totals))
    again = adamerge(
        base,
        vectors,
        model,
        rows,
        settings=AdaMergingSettings(steps=6, learning_rate=0.02, by_tensor=by_tensor, seed=3),
    )
    assert again == made
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.tensors.items())


def test_entropies_are_those_of_the_merged_model(tiny_llm):
    formats = {"polarity": "prompt", "emotions": "prompt"}
    base, model = put_on(tiny_llm, **formats)
    rows = texts(model, *formats)
    generator = torch.Generator().manual_seed(0)
    vectors = {name: {LLAMA[0]: torch.randn((16, 32), generator=generator)} for name in ("a", "b")}
    made = adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=1))
    with base.changed({LLAMA[0]: 0.3 * (vectors["a"][LLAMA[0]] + vectors["b"][LLAMA[0]])}):
        polarity = predict(model, rows["polarity"], "polarity")["polarity"]
        yes = predict(model, rows["emotions"], "emotions")["emotions"]
    assert made.entropies[0]["polarity"] == pytest.approx(-(polarity * np.log(polarity)).sum(1).mean(), rel=1e-4)
    both = -(yes * np.log(yes) + (1 - yes) * np.log(1 - yes))
    assert made.entropies[0]["emotions"] == pytest.approx(both.mean(), rel=1e-4)
    # Each has moved by the first step's length, the way of its own slope.
    for name in vectors:
        assert abs(made.coefficients[name][LLAMA[0]] - 0.3) == pytest.approx(1e-3, rel=1e-3)
    expected = sum(made.coefficients[name][LLAMA[0]] * vectors[name][LLAMA[0]] for name in vectors)
    torch.testing.assert_close(made.merged(vectors)[LLAMA[0]], expected)


def test_slopes_are_those_of_the_entropy(tiny_model, monkeypatch):
    """What Adam is given, against the entropy a little to both sides."""
    base, model = put_on(tiny_model, polarity="head")
    rows = texts(model, "polarity")
    generator = torch.Generator().manual_seed(0)
    vectors = {
        "a": {name: 0.3 * torch.randn(base.tensors[name].shape, generator=generator) for name in BERT},
        "b": {BERT[1]: 0.3 * torch.randn(base.tensors[BERT[1]].shape, generator=generator)},
    }
    slopes = []
    step = torch.optim.Adam.step

    def watched(optimiser):
        slopes.append(optimiser.param_groups[0]["params"][0].grad)
        step(optimiser)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)

    def entropy(a, b):
        merged = {name: a[name] * vectors["a"][name] for name in BERT}
        merged[BERT[1]] = merged[BERT[1]] + b * vectors["b"][BERT[1]]
        with base.changed(merged), torch.no_grad():
            logs = log_probabilities(model, "polarity", rows["polarity"].to_list()).double()
        return float(-(logs.exp() * logs).sum(-1).mean())

    adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=1))
    adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=1, by_tensor=False))
    each, whole = slopes
    start, little = dict.fromkeys(BERT, 0.3), 0.01
    order = [name for name in base.tensors if name in BERT]
    for place, name in enumerate(order):
        ahead, back = (entropy(start | {name: 0.3 + way}, 0.3) for way in (little, -little))
        assert float(each[place, 0]) == pytest.approx((ahead - back) / (2 * little), rel=0.02, abs=1e-4)
    ahead, back = (entropy(start, 0.3 + way) for way in (little, -little))
    assert float(each[order.index(BERT[1]), 1]) == pytest.approx((ahead - back) / (2 * little), rel=0.02, abs=1e-4)
    # It has no other tensor.
    assert float(each[order.index(BERT[0]), 1]) == 0
    torch.testing.assert_close(whole[0], each.sum(0))


def test_coefficients_stay_between_0_and_1(tiny_model):
    base, model = put_on(tiny_model, polarity="head")
    rows = texts(model, "polarity")
    vectors = sharp_and_blunt(base, model, rows, *BERT)
    made = adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=2, learning_rate=5.0))
    assert set(made.coefficients["sharp"].values()) == {1.0}
    assert set(made.coefficients["blunt"].values()) == {0.0}


def test_tasks_without_a_distribution_are_named(tiny_llm):
    formats = {"polarity": "prompt", "intensity": "head", "title": "prompt"}
    base, model = put_on(tiny_llm, **formats)
    model.train()
    rows = texts(model, *formats)
    vectors = {"a": {LLAMA[0]: torch.ones(16, 32)}}
    made = adamerge(base, vectors, model, rows, settings=AdaMergingSettings(steps=1))
    assert made.left_out == ["intensity", "title"]
    assert list(made.entropies[0]) == ["polarity"]
    assert model.training
    with pytest.raises(UsageError, match=r"needs a task with a distribution over answers .*, found intensity"):
        adamerge(base, vectors, model, {"intensity": rows["intensity"]})
    with pytest.raises(UsageError, match=r"texts for 'polarty', of which the model has no task\. Did you mean"):
        adamerge(base, vectors, model, {"polarty": rows["polarity"]})
    with pytest.raises(UsageError, match="no texts of task 'polarity'"):
        adamerge(base, vectors, model, {"polarity": rows["polarity"].select([])})
    with pytest.raises(UsageError, match="no experts that differ from the base"):
        adamerge(base, {"a": {}}, model, rows)
    with pytest.raises(ModelError, match="has a backbone of its own"):
        adamerge(base, vectors, make_model(tiny_llm, make_tasks()), rows)
    with pytest.raises(ModelError, match="the base has none of this name"):
        adamerge(base, {"a": {"model.extra": torch.ones(2)}}, model, rows)
