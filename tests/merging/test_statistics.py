"""Statistics of experts' data, against what is worked out row by row."""

import datasets
import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev
from torch.nn.attention import SDPBackend, sdpa_kernel

from adapters import one, save_model
from equipoise.errors import ModelError, UsageError
from equipoise.merging import (
    Base,
    RowSample,
    find_experts,
    fisher,
    input_grams,
    make_merge_operator,
    read_vectors,
    statistics,
)
from equipoise.modeling import MultiTaskModel, make_batch
from prompted import TEXTS, encode

QUERY = "encoder.layer.0.attention.self.query.weight"


def put_on(path, **formats):
    """A base, and a model of one task on it."""
    torch.manual_seed(0)
    asked = "prompt" in formats.values()
    base = Base.load(str(path), language_model=asked)
    return base, MultiTaskModel(base.backbone, base.tokenizer, one(**formats), 128).train()


def rows(texts=TEXTS, **labels):
    columns = {f"label:{name}": list(values) for name, values in labels.items()}
    return datasets.Dataset.from_dict({"text": list(texts), "pair": [None] * len(texts), **columns})


def test_input_grams_are_those_of_every_row_alone(tiny_model):
    base, model = put_on(tiny_model, polarity="head")
    grams = input_grams(base, model, "polarity", rows(), sample=RowSample(batch_size=3))
    assert grams.keys() == base.linear
    assert all(gram.dtype == torch.float32 for gram in grams.values())
    assert model.training
    expected = torch.zeros(32, 32)
    model.eval()
    for ids in encode(model, TEXTS)["input_ids"]:
        # What the first layer reads is what the embeddings give.
        hidden = base.backbone.embeddings(torch.tensor([ids]))[0].detach()
        expected += hidden.T @ hidden
    torch.testing.assert_close(grams[QUERY], expected, rtol=1e-4, atol=1e-4)
    # No layer counts padding: it is the same row by row.
    alone = input_grams(base, model, "polarity", rows(), sample=RowSample(batch_size=1))
    for name, gram in grams.items():
        torch.testing.assert_close(gram, alone[name], rtol=1e-3, atol=1e-3)
    assert not any(part._forward_pre_hooks for part in base.backbone.modules())


def test_input_grams_of_prompts(tiny_llm):
    base, model = put_on(tiny_llm, polarity="prompt")
    name = "model.layers.0.self_attn.q_proj.weight"
    grams = input_grams(base, model, "polarity", rows(), tensors=[name, "model.norm.weight"])
    assert list(grams) == [name]
    expected = torch.zeros(32, 32)
    inner = base.backbone.model
    for ids in encode(model, TEXTS)["input_ids"]:
        hidden = inner.layers[0].input_layernorm(inner.embed_tokens(torch.tensor(ids))).detach()
        expected += hidden.T @ hidden
    torch.testing.assert_close(grams[name], expected, rtol=1e-4, atol=1e-4)


def test_of_many_rows_some_are_drawn(tiny_model):
    base, model = put_on(tiny_model, polarity="head")
    texts = [f"{word} film" for word in ["the", "a", "good", "bad", "fine", "nice", "awful", "sad"]]
    drawn = [
        input_grams(base, model, "polarity", rows(texts), tensors=[QUERY], sample=RowSample(limit=2, seed=seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(drawn[0][QUERY], drawn[1][QUERY])
    assert not torch.allclose(drawn[0][QUERY], drawn[2][QUERY])
    chosen = np.sort(np.random.default_rng(0).permutation(8)[:2])
    both = input_grams(base, model, "polarity", rows([texts[row] for row in chosen]), tensors=[QUERY])
    torch.testing.assert_close(both[QUERY], drawn[0][QUERY])


def jacobian(model, base, task, text, tensor, read):
    """What a model reads off for one text, and its derivative by a tensor."""
    name = f"backbone.{tensor}"
    arguments = make_batch(model, encode(model, [text]).to_list(), {task: np.array([0])})

    def outputs(value):
        seen = []
        hook = model.head(task).register_forward_pre_hook(lambda module, given: seen.append(given[0]))
        found = functional_call(model, {name: value}, arguments)[task]
        hook.remove()
        return seen[0][0] if read == "scores" else found[0]

    start = base.tensors[tensor]
    with sdpa_kernel(SDPBackend.MATH):
        return outputs(start).detach(), jacrev(outputs)(start).detach()


def softmax_fisher(scores, derivative):
    """Σ_y p_y (J_y − Σ_k p_k J_k)²."""
    p = scores.softmax(-1).reshape(-1, *[1] * (derivative.dim() - 1))
    return (p * (derivative - (p * derivative).sum(0)) ** 2).sum(0)


def bernoulli_fisher(scores, derivative):
    """Σ_l σ(z_l) (1 − σ(z_l)) J_l²."""
    p = scores.sigmoid().reshape(-1, *[1] * (derivative.dim() - 1))
    return (p * (1 - p) * derivative**2).sum(0)


@pytest.mark.parametrize(
    ("task", "how", "formula", "read"),
    [
        ("polarity", "head", softmax_fisher, "outputs"),
        ("polarity", "prompt", softmax_fisher, "outputs"),
        ("emotions", "head", bernoulli_fisher, "outputs"),
        ("emotions", "prompt", bernoulli_fisher, "outputs"),
        ("intensity", "head", lambda score, derivative: derivative**2, "outputs"),
        ("intensity", "prompt", softmax_fisher, "scores"),
    ],
)
def test_fisher_information_is_the_expected_squared_gradient(tiny_model, tiny_llm, task, how, formula, read):
    base, model = put_on(tiny_llm if how == "prompt" else tiny_model, **{task: how})
    tensor = "model.layers.1.self_attn.v_proj.weight" if how == "prompt" else QUERY
    found = fisher(base, model, task, rows(TEXTS[:3]), tensors=[tensor])
    assert model.training
    assert all(parameter.requires_grad for parameter in base.backbone.parameters())
    model.eval()
    expected = sum(formula(*jacobian(model, base, task, text, tensor, read)) for text in TEXTS[:3]) / 3
    assert list(found) == [tensor]
    assert expected.max() > 0
    torch.testing.assert_close(found[tensor], expected, rtol=1e-3, atol=float(1e-5 * expected.max()))


def test_of_many_answers_one_is_drawn(tiny_model, monkeypatch):
    base, model = put_on(tiny_model, polarity="head")
    exact = fisher(base, model, "polarity", rows(TEXTS[:1]), tensors=[QUERY])[QUERY]
    monkeypatch.setattr(statistics, "LARGEST_SUM", 2)
    draws = [
        fisher(base, model, "polarity", rows(TEXTS[:1]), tensors=[QUERY], sample=RowSample(seed=seed))[QUERY]
        for seed in range(60)
    ]
    assert len({float(draw.sum()) for draw in draws}) == 3
    mean = torch.stack(draws).mean(0)
    assert float((mean - exact).norm() / exact.norm()) < 0.35


def test_fisher_information_of_texts_is_of_those_the_rows_have(tiny_llm):
    base, model = put_on(tiny_llm, title="prompt")
    data = rows(TEXTS[:1], title=["good film"])
    name = "model.layers.0.mlp.up_proj.weight"
    found = fisher(base, model, "title", data, tensors=[name])[name]
    weight = dict(base.backbone.named_parameters())[name]
    prompt = model.prompts.ask("title", 0, TEXTS[0])
    whole = model.prompts.ask("title", 0, TEXTS[0], answer="good film")
    answer = [*whole[len(prompt) :], base.tokenizer.eos_token_id]
    tokens = torch.tensor([[*prompt, *answer]])
    logs = base.backbone(input_ids=tokens).logits[0].log_softmax(-1)
    total = logs[torch.arange(len(prompt) - 1, tokens.shape[1] - 1), tokens[0, len(prompt) :]].sum()
    (gradient,) = torch.autograd.grad(total, weight)
    torch.testing.assert_close(found, gradient**2, rtol=1e-3, atol=float(1e-5 * (gradient**2).max()))


def test_what_nothing_depends_on_has_zeros(tiny_model):
    base, model = put_on(tiny_model, polarity="head")
    found = fisher(base, model, "polarity", rows(TEXTS[:1]))
    assert found.keys() == base.tensors.keys()
    # All words but a few do not occur.
    assert 0 < found["embeddings.word_embeddings.weight"].any(dim=1).sum() < 10


def test_an_expert_without_an_output_layer_on_a_base_with_one(tiny_llm):
    base, _ = put_on(tiny_llm, polarity="prompt")
    part, prefix = base.part(language_model=False)
    model = MultiTaskModel(part, base.tokenizer, one(polarity="head"), 128)
    assert fisher(base, model, "polarity", rows(TEXTS[:1])).keys() == base.tensors.keys()
    grams = input_grams(base, model, "polarity", rows())
    assert grams.keys() == base.linear
    assert grams[f"{prefix}layers.0.mlp.up_proj.weight"].any()


@pytest.mark.parametrize("operator", ["regmean", "fisher"])
def test_experts_are_merged_by_their_statistics(tmp_path, tiny_model, operator):
    tasks = {"polarity": "head", "intensity": "head"}
    for seed, task in enumerate(tasks):
        save_model(tmp_path / task, tiny_model, one(**{task: "head"}), seed, targets=["query"])
    experts = find_experts([tmp_path / task for task in tasks])
    base = Base.load(str(tiny_model), language_model=False)
    vectors = {name: vector.tensors for name, vector in read_vectors(experts, base).items()}
    before = {name: tensor.clone() for name, tensor in base.tensors.items()}
    known, texts = {}, {"polarity": TEXTS[:2], "intensity": TEXTS[2:]}
    for expert in experts:
        with base.changed(vectors[expert.name]):
            model = MultiTaskModel.from_pretrained(expert.folder, on=(base.backbone, base.tokenizer))
            collect = input_grams if operator == "regmean" else fisher
            known[expert.name] = collect(
                base, model, expert.name, rows(texts[expert.name]), tensors=vectors[expert.name]
            )
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.tensors.items())
    merged = dict(make_merge_operator(operator).merge(vectors, dict.fromkeys(vectors, 1.0), base.tensors, known))
    average = {name: sum(vector[name] for vector in vectors.values()) / 2 for name in merged}
    for name, tensor in merged.items():
        assert tensor.isfinite().all()
        assert not torch.allclose(tensor, average[name], rtol=1e-2)


def test_mistakes_are_answered(tiny_model):
    base, model = put_on(tiny_model, polarity="head")
    with pytest.raises(UsageError, match="no task 'tone', expected one of polarity"):
        fisher(base, model, "tone", rows())
    with pytest.raises(UsageError, match="no rows of task 'polarity'"):
        input_grams(base, model, "polarity", rows([]))
    other, _ = put_on(tiny_model, polarity="head")
    with pytest.raises(ModelError, match="has a backbone of its own"):
        fisher(other, model, "polarity", rows())
